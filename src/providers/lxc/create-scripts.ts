import { stage } from "./lxc-paths.ts";

/** What an instance is made by, after `runScript`'s preamble. Each looks first, and may be run again after it was cut off. */

/** $1 lxcPath, $2 id, $3 directory of the image's version. Prints what of the disk must be known. instance.json follows by `recordScript`. */
export const makeDiskScript = `
lxc=$1 home=$1/$2 image=$3
in_home
if [ -e "$home/instance.json" ]; then echo there; exit 0; fi
find "$home" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf --one-file-system {} +
mkdir -m 700 "$home/disk"
mkdir "$home/disk/upper" "$home/disk/work"
chown --reference="$image/rootfs" "$home/disk/upper" "$home/disk/work" && chmod --reference="$image/rootfs" "$home/disk/upper"
disk=overlay
if ! unshare -m --propagation slave sh -c 'mkdir -p ${stage} && mount --bind "$2" ${stage} && cd "$1" && mount -t overlay -o "lowerdir=${stage},upperdir=upper,workdir=work" vendetta ${stage}' sh "$home/disk" "$image/rootfs" 2>/dev/null; then
  disk=copy
  rm -rf "$home/disk/upper" "$home/disk/work"
  cp -a --reflink=auto "$image/rootfs" "$home/disk/rootfs" || no DiskFailed "the image cannot be copied to $home"
fi
root=$image/rootfs
init=none
for each in sbin/init usr/sbin/init; do
  [ -e "$root/$each" ] || [ -L "$root/$each" ] || continue
  init=other
  case $(readlink "$root/$each") in
    *systemd*) init=systemd;;
    *busybox*) init=busybox;;
    *) [ "$root/$each" -ef "$root/bin/busybox" ] && init=busybox;;
  esac
  break
done
echo "$disk $init"
`;

/** $1 lxcPath, $2 id; the record is its input. */
export const recordScript = `
home=$1/$2
in_home
[ ! -e "$home/instance.json" ] || exit 0
[ -d "$home/disk" ] || no Busy "$2 is being removed"
umask 077
cat >"$home/instance.new" && mv "$home/instance.new" "$home/instance.json"
`;

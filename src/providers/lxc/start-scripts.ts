import { sweepCgroups, thawIfFrozen } from "./container-cgroups.ts";
import { stage } from "./lxc-paths.ts";

/** What an instance is started by, after `runScript`'s preamble. It looks first, and may be run again after it was cut off. */

/**
 * Run by LXC on the node when the init is about to run and when it has ended, however it has. Notes which process the init is,
 * with what tells it from a later one of that pid; and hints to whoever waits. A reader that is gone would fill its pipe, so it is looked at.
 */
const hook = `#!/bin/sh
home=\${LXC_CONFIG_FILE%/*}
if [ "$LXC_HOOK_TYPE" = start-host ]; then
  IFS= read -r stat <"/proc/$LXC_PID/stat" || exit 1
  read -r boot </proc/sys/kernel/random/boot_id
  set -- \${stat##*) }
  echo "$LXC_PID \${20} $boot $(date +%s)" >"$home/init.new" && mv "$home/init.new" "$home/init" || exit 1
  # Whoever takes more memory than the container may is ended, and a neighbour while it is ending: init, with whom all of them go, comes after those.
  { echo -50 >"/proc/$LXC_PID/oom_score_adj"; } 2>/dev/null || :
fi
for pipe in "\${home%/*}"-node/watch/*; do
  [ -p "$pipe" ] && [ -d "/proc/\${pipe##*/}" ] && echo "$LXC_NAME" 1<>"$pipe"
done
exit 0
`;

/** The init of an image without one: waits, takes in orphans, and hands on the wish to halt to all others. */
const waitingInit = `
stop() {
  kill -TERM -1
  while kill -0 -1 2>/dev/null; do sleep 0.1; done
  exit 0
}
trap stop PWR TERM
while :; do sleep 3600 & wait $!; done
`;

/** In a mount namespace of its own: puts the parts together where the ids of a map may pass, and starts. $1 lxcPath, $2 id, $3 disk, $4 image's version, $5 bridge, $6 bind or rbind, then sources. */
const stageScript = `
lxc=$1 id=$2 disk=$3 image=$4 bridge=$5 bind=$6 home=$1/$2
shift 6
say() { echo "$1"; exit 1; }
# LXC's monitor stays in here. Where the node does not share its mounts, what it holds of other engines' networks would outlive them, addresses and all.
# One that another mount covers stays: that is no reason not to start. Their paths are anybody's, so they are not expanded.
set -f
for each in $(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ \\]*\\) .* - nsfs .*/\\1/p' /proc/self/mountinfo); do umount -l "$each" 2>/dev/null || :; done
set +f
mkdir -p ${stage} && mount -t tmpfs -o mode=755,size=4m vendetta ${stage} || say "the parts of a container cannot be put together in ${stage}"
n=0 dirs="${stage}/rootfs ${stage}/disk ${stage}/image ${stage}/home ${stage}/node ${stage}/sys"
for source; do
  if [ -d "$source" ]; then dirs="$dirs ${stage}/m$n"; else : >${stage}/m$n; fi
  n=$((n + 1))
done
mkdir $dirs
printf %s "$vendetta_hook" >${stage}/hook && chmod 755 ${stage}/hook
mount --bind "$home/disk" ${stage}/disk
if [ "$disk" = overlay ]; then
  mount --bind "$image/rootfs" ${stage}/image && cd ${stage}/disk && mount -t overlay -o lowerdir=${stage}/image,upperdir=upper,workdir=work vendetta ${stage}/rootfs || say "the image's overlay cannot be mounted"
else
  mount --bind ${stage}/disk/rootfs ${stage}/rootfs
fi
n=0
for source; do
  mount "--$bind" "$source" ${stage}/m$n || say "$source cannot be mounted"
  n=$((n + 1))
done
cd /
# LXC looks for the bridge in /sys, which may be another network's where we were put into one of our own.
if [ -n "$bridge" ] && [ ! -e "/sys/class/net/$bridge" ]; then
  mount -t sysfs vendetta ${stage}/sys && for each in class/net devices/virtual/net; do mount --bind "${stage}/sys/$each" "/sys/$each"; done
fi
# The map's root must be able to pass to LXC's path, and where home directories are closed it is not. Nobody's rights are changed for that: what is in the way is covered, in here.
path= rest=\${lxc#/}/
set --
while [ -n "$rest" ]; do
  path=$path/\${rest%%/*} rest=\${rest#*/}
  set -- "$@" "$path"
done
path=$(stat -c '%A %n' "$@" | while read -r mode path; do case $mode in *[xt]) ;; *) echo "$path"; break;; esac; done)
if [ -n "$path" ]; then
  mount --bind "$home" ${stage}/home && mount --bind "$lxc-node" ${stage}/node &&
    mount -t tmpfs -o mode=755,size=1m vendetta "$path" && mkdir -p "$home" "$lxc-node" &&
    mount --bind ${stage}/home "$home" && mount --bind ${stage}/node "$lxc-node" || say "$path cannot be made passable"
fi
exec env -i PATH="$PATH" lxc-start -P "$lxc" -n "$id" -d -p "$home/monitor" -o "$home/log" -l ERROR
`;

/**
 * $1 lxcPath, $2 id, $3 disk, $4 image's version, $5 hostname, $6 bind or rbind, $7 the node's end of the cable, $8 its IP address
 * or "", $9 directory of its volumes, $10 bridge or ""; then three of a mount: bind, volume or file; source; target. Says "image" and starts nothing when that is gone.
 */
export const startScript = `
lxc=$1 id=$2 disk=$3 image=$4 hostname=$5 bind=$6 veth=$7 ip=$8 work=$9 home=$1/$2
shift 9
bridge=$1
shift
in_home
[ -e "$home/instance.json" ] || no NotFound "there is no instance $id"
if alive; then ${thawIfFrozen}; exit 0; fi
if [ "$disk" = overlay ] && [ ! -d "$image/rootfs" ]; then echo image; exit 0; fi
printf %s "$vendetta_config" >"$home/config" && printf %s "$vendetta_init" >"$home/waiting-init" || no StartFailed "the config cannot be written in $home"
rm -f "$home/log" "$home/init"
[ -d "$lxc-node" ] || mkdir -p -m 700 "$lxc-node"
for each in /sys/fs/cgroup/lxc.*."$id" /sys/fs/cgroup/*/lxc.*."$id"; do
  if [ -e "$each" ]; then ${sweepCgroups}; break; fi
done
[ ! -e "/sys/class/net/$veth" ] || ip link del "$veth" 2>/dev/null
printf '127.0.0.1 localhost\\n::1 localhost\\n%s %s\\n' "\${ip:-127.0.1.1}" "$hostname" >"$home/hosts"
echo "$hostname" >"$home/hostname"
# A resolver that listens on the node's loopback is not reached from inside; systemd keeps those that it asks itself in a file of its own.
: >"$home/resolv.conf"
for file in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
  [ ! -s "$home/resolv.conf" ] && [ -r "$file" ] || continue
  while read -r word server _; do
    case $word$server in nameserver127.* | nameserver::1) ;; nameserver*) echo "nameserver $server" >>"$home/resolv.conf";; search*) echo "search $server" >>"$home/resolv.conf";; esac
  done <"$file"
done
count=$#
while [ $count -gt 0 ]; do
  kind=$1 source=$2 target=$3
  shift 3
  count=$((count - 3))
  case $kind in
    volume) source=$work/volumes/$source; [ -d "$source" ] || mkdir -p -m 700 "$work" && mkdir -p -m 755 "$source" || no VolumeFailed "the volume for $target cannot be made";;
    file) source=$home/$source;;
  esac
  [ -e "$source" ] || no MountSourceMissing "hostPath $source, to be mounted at $target: there is no such thing on the node"
  set -- "$@" "$source"
done
if ! said=$(unshare -m --propagation slave sh -c "$vendetta_stage" sh "$lxc" "$id" "$disk" "$image" "$bridge" "$bind" "$@" 2>&1 9>&-); then
  said=$(printf '%s\\n' "$said" | grep -v '^lxc-start:'; sed -n 's/^lxc-start [^ ]* *[^ ]* *ERROR *[^ ]* - [^ ]* - //p' "$home/log" 2>/dev/null | head -n 3)
  no StartFailed "$id did not start: \${said:-LXC did not say why}"
fi
alive || no StartFailed "the init of $id ended at once; its console said: $(tail -c 300 "$home/console.log" 2>/dev/null)"
`;

/** What is too long for an argument: the environment of `startScript`. @param config the text of the container's */
export const startEnvironment = (config: string): Readonly<Record<string, string>> => ({ vendetta_stage: stageScript, vendetta_hook: hook, vendetta_init: waitingInit, vendetta_config: config });

import { stage } from "./lxc-paths.ts";
import { leaveScript } from "./lxc-network.ts";

/** The scripts of `runScript`'s preamble that make, start and end an instance. Each looks first, and may be run again after it was cut off. */

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

/** Removes the cgroups of a container whose monitor was killed: LXC would make others beside them. */
const sweepCgroups = `find /sys/fs/cgroup -depth -type d \\( -path "*/lxc.payload.$id/*" -o -path "*/lxc.payload.$id-[0-9]*/*" -o -name "lxc.payload.$id" -o -name "lxc.payload.$id-[0-9]*" -o -name "lxc.monitor.$id" -o -name "lxc.monitor.$id-[0-9]*" \\) -exec rmdir {} + 2>/dev/null`;

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

/** In a mount namespace of its own: puts the parts together where the ids of a map may pass, and starts. $1 lxcPath, $2 id, $3 disk, $4 image's version, $5 bridge, $6 bind or rbind, then sources. */
const stageScript = `
lxc=$1 id=$2 disk=$3 image=$4 bridge=$5 bind=$6 home=$1/$2
shift 6
say() { echo "$1"; exit 1; }
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
if alive; then ${thawIfFrozen()}; exit 0; fi
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
  [ -e "$source" ] || no MountSourceMissing "$source, to be mounted at $target, does not exist on the node"
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

/** A frozen one hears nothing. */
function thawIfFrozen(): string {
  return `case $(lxc-info -P "$lxc" -n "$id" -sH 2>/dev/null) in FROZEN) lxc-unfreeze -P "$lxc" -n "$id";; esac`;
}

/** Ends it, by asking first when there is a grace. Needs lxc, id, home, grace. */
const endScript = `
if alive; then
  ${thawIfFrozen()}
  if [ "$grace" -gt 0 ]; then lxc-stop -P "$lxc" -n "$id" -t "$grace"; else lxc-stop -P "$lxc" -n "$id" -k; fi >/dev/null 2>&1
  # Without its monitor nobody hears that; its processes end with their init.
  if alive; then kill -KILL "$pid" 2>/dev/null; fi
fi
monitor=
{ read -r monitor <"$home/monitor"; } 2>/dev/null
tries=0
# The monitor takes away what is left of it a moment later.
while alive || { [ -n "$monitor" ] && grep -qsF "$id" "/proc/$monitor/cmdline"; }; do
  tries=$((tries + 1))
  [ $tries -lt 500 ] || no StopFailed "$id does not end"
  sleep 0.02
done
rm -f "$home/monitor"
`;

/** $1 lxcPath, $2 id, $3 grace in whole seconds. */
export const stopScript = `
lxc=$1 id=$2 grace=$3 home=$1/$2
[ -e "$home/instance.json" ] || exit 0
${endScript}
`;

/** $1 lxcPath, $2 id, $3 the node's end of the cable, $4 bridge, $5 node's directory, $6 directory of its volumes to remove, or "". */
export const destroyScript = `
lxc=$1 id=$2 veth=$3 bridge=$4 node=$5 volumes=$6 home=$1/$2 grace=0
if [ -d "$home" ]; then
  in_home
  ${endScript}
  ip link del "$veth" 2>/dev/null
  ${sweepCgroups}
  rm -f "/run/lxc/lock$lxc/.$id" "/run/lock/lxc$lxc/.$id"
  # LXC keeps a directory of locks for each of its paths; the one of a path with another container is not empty.
  rmdir -p "/run/lxc/lock$lxc" 2>/dev/null
  rm -f "$home/address"
  rm -rf --one-file-system "$home" || no DestroyFailed "$home cannot be removed"
  ${leaveScript}
fi
[ -z "$volumes" ] || rm -rf --one-file-system "$volumes" || no DestroyFailed "$volumes cannot be removed"
`;

/**
 * $1 lxcPath, $2 pattern of ids. For each: "instance ID", "state WORD STARTID SECONDS" (seconds since 1970 of its start), "address IP" and
 * "record JSON" or nothing.
 */
export const listScript = `
lxc=$1
for home in "$lxc"/$2; do
  [ -d "$home" ] || continue
  id=\${home##*/}
  echo "instance $id"
  if [ -e "$home/init" ]; then state=stopped; else state=created; fi
  if alive; then
    state=running
    while IFS=: read -r _ controllers path; do
      case $controllers in
        freezer) read -r frozen <"/sys/fs/cgroup/freezer$path/freezer.state";;
        '') read -r frozen <"/sys/fs/cgroup$path/cgroup.freeze";;
        *) continue;;
      esac
      case $frozen in FROZEN | 1) state=paused;; esac
    done 2>/dev/null <"/proc/$pid/cgroup"
    ip=
    { read -r ip _ <"$home/address"; } 2>/dev/null ||
      if grep -q '"bridge":"' "$home/instance.json"; then ip=$(nsenter -t "$pid" -n ip -4 -o addr show eth0 2>/dev/null | sed -n 's/.* inet \\([0-9.]*\\).*/\\1/p;q'); fi
    [ -z "$ip" ] || echo "address $ip"
  fi
  echo "state $state $pid.$started.$boot $since"
  record=
  { IFS= read -r record <"$home/instance.json"; } 2>/dev/null
  [ -z "$record" ] || printf 'record %s\\n' "$record"
done
`;

/** $1 lxcPath, $2 id. Prints the memory's and the processor's figures of its cgroup, a name and a number a line; nothing when it does not run. */
export const usageScript = `
home=$1/$2
alive || exit 0
while IFS=: read -r _ controllers path; do
  for each in "/sys/fs/cgroup/memory$path" "/sys/fs/cgroup/cpuacct$path" "/sys/fs/cgroup/cpu,cpuacct$path" "/sys/fs/cgroup$path"; do
    case $each$controllers in
      */memory/*memory) echo "usage $(cat "$each/memory.usage_in_bytes")"; grep '^total_inactive_file ' "$each/memory.stat";;
      */cpuacct/*cpuacct* | */cpu,cpuacct/*cpuacct*) [ ! -e "$each/cpuacct.usage" ] || echo "nanoseconds $(cat "$each/cpuacct.usage")";;
      /sys/fs/cgroup/*) if [ -z "$controllers" ] && [ -e "$each/memory.current" ]; then echo "usage $(cat "$each/memory.current")"; grep '^inactive_file ' "$each/memory.stat"; grep '^usage_usec ' "$each/cpu.stat"; fi;;
    esac
  done
done <"/proc/$pid/cgroup" 2>/dev/null
`;

/**
 * $1 directory of those who wait. A line for each hint, an empty one first: whatever happened before is in none. The pipe is named after the
 * process that reads it; those of readers that are gone are removed. Ends with its input.
 */
export const watchScript = `
watch=$1
mkdir -p -m 700 "$watch"
for pipe in "$watch"/*; do [ ! -p "$pipe" ] || [ -d "/proc/\${pipe##*/}" ] || rm -f "$pipe"; done
pipe=$watch/$$
rm -f "$pipe"
mkfifo -m 600 "$pipe"
trap 'rm -f "$pipe"; exit 0' TERM INT HUP
exec 3<>"$pipe" 4<&0
# The end of its input is the end of whoever asked, however that came.
{ cat <&4 >/dev/null; kill $$; } 3>&- &
echo
while read -r id <&3; do echo "$id"; done
`;

/**
 * Prints one line each: user id, version, architecture, id ranges of root, and whether anything is missing.
 */
export const probeScript = `
echo "uid $(id -u)"
for each in lxc-start:lxc lxc-attach:lxc unshare:util-linux flock:util-linux ip:iproute2 tar:tar mount:mount; do
  command -v "\${each%%:*}" >/dev/null 2>&1 || echo "missing \${each#*:}"
done
echo "version $(lxc-start --version 2>/dev/null)"
echo "machine $(dpkg --print-architecture 2>/dev/null || uname -m)"
command -v lxc-usernsexec >/dev/null 2>&1 || echo "missing-usernsexec"
command -v iptables >/dev/null 2>&1 || command -v nft >/dev/null 2>&1 || echo "missing-firewall"
sed 's/^/subuid /' /etc/subuid 2>/dev/null
sed 's/^/subgid /' /etc/subgid 2>/dev/null
true
`;

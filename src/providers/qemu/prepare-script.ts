/**
 * Run inside a machine as root, once a start, before anything else is. stdin: one line each, `WHAT ARGUMENTS…`, fields parted by
 * tabs: `hostname NAME`, `volume SERIAL PATH rw|ro`, `share virtiofs|9p TAG PATH rw|ro`, `tmpfs PATH BYTES`, `pids MOST`. $1 id of
 * the start. Says what failed on stderr and exits with 1; exits with 2 when the first boot itself failed.
 *
 * A line ends at a newline and a field at a tab: paths that hold one are refused before. Somebody waits, and each process costs an
 * emulated machine some 10 ms: it starts as few as it can.
 */
export const prepareScript = `
done=/run/vendetta-prepared
{ read -r was < $done; } 2>/dev/null && [ "$was" = "$1" ] && exit 0
fail() { echo "$*" >&2; exit 1; }
mkdir -p -m 1777 /run/vendetta || exit 1
device() { for each in /sys/block/*/serial /sys/block/*/device/serial; do [ "$(cat "$each" 2>/dev/null)" = "$1" ] && { each=\${each#/sys/block/}; echo "/dev/\${each%%/*}"; return 0; }; done; return 1; }
mounted() { while read -r _ at _; do [ "$(printf '%b' "$at")" = "$1" ] && return 0; done < /proc/mounts; return 1; }
tab=$(printf '\\t')
while IFS="$tab" read -r what a b c d; do
  case $what in
  hostname) { echo "$a" > /proc/sys/kernel/hostname; } 2>/dev/null || hostname "$a" ;;
  volume)
    mounted "$b" && continue
    disk=$(device "$a") || fail "the disk for $b is not there"
    mkdir -p "$b"
    mount -t ext4 -o "$c" "$disk" "$b" 2>/dev/null && continue
    [ -z "$(dd if="$disk" bs=65536 count=1 2>/dev/null | tr -d '\\0' | head -c 1)" ] || fail "the volume for $b holds no file system that this machine's kernel reads (ext4)"
    command -v mkfs.ext4 >/dev/null 2>&1 || fail "the volume for $b is blank, and neither the node nor the machine has mkfs.ext4: install e2fsprogs on one of them"
    mkfs.ext4 -q "$disk" >/dev/null 2>&1 && mount -t ext4 -o "$c" "$disk" "$b" || fail "the volume for $b cannot be formatted and mounted"
    ;;
  share)
    mounted "$c" && continue
    mkdir -p "$c"
    if [ "$a" = virtiofs ]; then modprobe virtiofs 2>/dev/null; mount -t virtiofs -o "$d" "$b" "$c" || fail "$c: the machine's kernel cannot mount virtiofs (CONFIG_VIRTIO_FS)"
    else modprobe 9pnet_virtio 2>/dev/null; mount -t 9p -o "$d,trans=virtio,version=9p2000.L,msize=131072" "$b" "$c" || fail "$c: the machine's kernel cannot mount 9p (CONFIG_9P_FS); with virtiofsd on the node and the server's user root there, directories are shared by virtiofs instead"
    fi
    ;;
  tmpfs) mounted "$a" && continue; mkdir -p "$a"; mount -t tmpfs -o "mode=1777\${b:+,size=$b}" tmpfs "$a" || fail "$a: no tmpfs can be mounted" ;;
  pids)
    at=/sys/fs/cgroup
    [ -f $at/cgroup.controllers ] || at=/sys/fs/cgroup/unified
    mkdir -p $at/vendetta 2>/dev/null && echo +pids > $at/cgroup.subtree_control 2>/dev/null
    echo "$a" > $at/vendetta/pids.max 2>/dev/null || fail "spec.resources.pids needs a guest with cgroups of version 2 and their pids controller"
    ;;
  esac
done
if command -v cloud-init >/dev/null 2>&1 && ! [ -e /etc/cloud/cloud-init.disabled ]; then
  cloud-init status --wait >/dev/null 2>&1
  state=$(cloud-init status 2>/dev/null)
  case $state in *error*) cloud-init status --long >&2; [ -f /var/log/cloud-init-output.log ] && tail -n 5 /var/log/cloud-init-output.log >&2; exit 2 ;; esac
fi
echo "$1" > $done
`;

/**
 * Run inside a machine: becomes a command under another user, or within the bound on processes. $1 user or user:group, or ""; $2 "limit" or "";
 * then the command.
 */
export const enterScript = `
user=$1 limit=$2; shift 2
if [ -n "$limit" ]; then for at in /sys/fs/cgroup /sys/fs/cgroup/unified; do [ -f $at/vendetta/cgroup.procs ] && echo $$ > $at/vendetta/cgroup.procs && break; done; fi
[ -n "$user" ] || exec "$@"
name=\${user%%:*} group=
case $user in *:*) group=\${user#*:} ;; esac
uid=$(id -u "$name" 2>/dev/null || { case $name in *[!0-9]*) ;; *) echo "$name" ;; esac; })
[ -n "$uid" ] || { echo "there is no user $name in the machine" >&2; exit 126; }
while IFS=: read -r entry _ number _ _ home _; do [ "$number" = "$uid" ] && { HOME=$home USER=$entry LOGNAME=$entry; export HOME USER LOGNAME; break; }; done < /etc/passwd
if setpriv --help 2>&1 | grep -q reuid; then
  if [ -n "$group" ]; then exec setpriv --reuid="$uid" --regid="$group" --clear-groups -- "$@"; fi
  exec setpriv --reuid="$uid" --regid="$(id -g "$name" 2>/dev/null || echo "$uid")" $(id -un "$name" >/dev/null 2>&1 && echo --init-groups || echo --clear-groups) -- "$@"
fi
[ -z "$group" ] || { echo "user $user needs setpriv of util-linux in the machine" >&2; exit 126; }
exec su -s /bin/sh -c 'exec "$0" "$@"' -- "$name" "$@"
`;

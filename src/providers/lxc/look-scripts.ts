/** What is asked of a node and its instances, after `runScript`'s preamble. */

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

import { sweepCgroups, thawIfFrozen } from "./container-cgroups.ts";
import { leaveScript } from "./lxc-network.ts";

/** What an instance is ended and removed by, after `runScript`'s preamble. Each looks first, and may be run again after it was cut off. */

/** Ends it, by asking first when there is a grace. Needs lxc, id, home, grace. */
const endScript = `
if alive; then
  ${thawIfFrozen}
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

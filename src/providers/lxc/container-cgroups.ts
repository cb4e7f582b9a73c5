/** Parts of scripts of `runScript` that deal with a container's cgroups. They need lxc and id. */

/** Removes the cgroups of a container whose monitor was killed: LXC would make others beside them. */
export const sweepCgroups = `find /sys/fs/cgroup -depth -type d \\( -path "*/lxc.payload.$id/*" -o -path "*/lxc.payload.$id-[0-9]*/*" -o -name "lxc.payload.$id" -o -name "lxc.payload.$id-[0-9]*" -o -name "lxc.monitor.$id" -o -name "lxc.monitor.$id-[0-9]*" \\) -exec rmdir {} + 2>/dev/null`;

/** A frozen one hears nothing. */
export const thawIfFrozen = `case $(lxc-info -P "$lxc" -n "$id" -sH 2>/dev/null) in FROZEN) lxc-unfreeze -P "$lxc" -n "$id";; esac`;

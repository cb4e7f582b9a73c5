import { ProviderError, type Snapshot, type Snapshots } from "../provider.ts";
import type { LxcPaths } from "./lxc-paths.ts";
import { runScript, type NodeShell } from "./node-shell.ts";

/** A disk is copied in it. */
const copyTimeoutMs = 15 * 60_000;
const lookTimeoutMs = 30_000;

/**
 * A snapshot is a directory with a copy of what the instance's own disk holds beyond its image (or all, where it is a copy itself), by reference
 * where the file system can. "image" names what it lies over; "taken" is written last. All scripts: $1 lxcPath, $2 id, $3 directory of
 * the instance's snapshots, $4 name.
 */
const takeScript = `
lxc=$1 id=$2 home=$1/$2 all=$3 own=$3/$4
[ -e "$home/instance.json" ] || no NotFound "there is no instance $id"
in_home
[ ! -e "$own/taken" ] || exit 0
mkdir -p -m 700 "$all" && rm -rf "$own" "$own.new" && mkdir -m 700 "$own.new" || no SnapshotFailed "$all cannot be made"
part=upper
[ -d "$home/disk/upper" ] || part=rootfs
thaw=
if alive && [ "$(lxc-info -P "$lxc" -n "$id" -sH)" = RUNNING ]; then
  # So that no file is copied half written. Not frozen, it would still be copied: as after a loss of power.
  lxc-freeze -P "$lxc" -n "$id" && thaw=1
fi
copied=
cp -a --reflink=auto "$home/disk/$part" "$own.new/$part" && copied=1
[ -z "$thaw" ] || lxc-unfreeze -P "$lxc" -n "$id"
if [ -z "$copied" ]; then rm -rf "$own.new"; no SnapshotFailed "the disk of $id cannot be copied to $all"; fi
sed 's/.*"dir":"\\([^"]*\\)".*/\\1/' "$home/instance.json" >"$own.new/image"
date -u +%Y-%m-%dT%H:%M:%SZ >"$own.new/taken"
mv "$own.new" "$own"
`;

const restoreScript = `
lxc=$1 id=$2 home=$1/$2 own=$3/$4
[ -e "$home/instance.json" ] || no NotFound "there is no instance $id"
in_home
[ -e "$own/taken" ] || no SnapshotNotFound "$id has no snapshot $4"
! alive || no StillRunning "$id runs; stop it first"
part=upper
[ -d "$own/upper" ] || part=rootfs
[ -d "$home/disk/$part" ] && [ "$(stat -c %u "$home/disk/$part")" = "$(stat -c %u "$own/$part")" ] || no SnapshotFailed "snapshot $4 of $id was taken when its disk or its ids were of another kind"
read -r image <"$own/image"
[ "$part" = rootfs ] || [ -d "$image/rootfs" ] || no SnapshotFailed "the image that snapshot $4 lies over is gone: $image"
rm -rf "$home/disk/new" "$home/disk/old"
cp -a --reflink=auto "$own/$part" "$home/disk/new" || { rm -rf "$home/disk/new"; no SnapshotFailed "snapshot $4 of $id cannot be copied back"; }
sed "s|\\"dir\\":\\"[^\\"]*\\"|\\"dir\\":\\"$image\\"|" "$home/instance.json" >"$home/instance.new" && chmod 600 "$home/instance.new" || no SnapshotFailed "the record of $id cannot be written"
mv "$home/disk/$part" "$home/disk/old" && mv "$home/disk/new" "$home/disk/$part" && mv "$home/instance.new" "$home/instance.json" || no SnapshotFailed "the disk of $id cannot be put back"
rm -rf "$home/disk/old"
[ "$part" = rootfs ] || { chmod -R u+rwx "$home/disk/work" 2>/dev/null; rm -rf "$home/disk/work"; mkdir "$home/disk/work"; chown --reference="$home/disk/upper" "$home/disk/work"; }
`;

const listScript = `
for each in "$3"/*; do [ ! -e "$each/taken" ] || echo "\${each##*/} $(cat "$each/taken")"; done
`;

const removeScript = `
[ ! -d "$3/$4" ] || { rm -rf --one-file-system "$3/$4" || no SnapshotFailed "snapshot $4 of $2 cannot be removed"; }
`;

export function createLxcSnapshots(shell: NodeShell, paths: (signal: AbortSignal) => Promise<LxcPaths>): Snapshots {
  const run = async (script: string, id: string, name: string, timeoutMs: number, signal: AbortSignal) => {
    const { lxcPath, work } = await paths(signal);
    return runScript(shell, script, [lxcPath, id, `${work}/${id}/snapshots`, name], { signal, timeoutMs });
  };
  return {
    async list(id, signal): Promise<Snapshot[]> {
      const said = await run(listScript, id, "", lookTimeoutMs, signal);
      return said.split("\n").filter((line) => line !== "").map((line) => line.split(" ")).map(([name = "", createdAt = ""]) => ({ name, createdAt }));
    },
    async take(id, name, signal) {
      assertName(name);
      await run(takeScript, id, name, copyTimeoutMs, signal);
    },
    async restore(id, name, signal) {
      assertName(name);
      await run(restoreScript, id, name, copyTimeoutMs, signal);
    },
    async remove(id, name, signal) {
      assertName(name);
      await run(removeScript, id, name, copyTimeoutMs, signal);
    },
  };
}

/** Names are parts of paths here. */
function assertName(name: string): void {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) throw new ProviderError("InvalidSpec", `${JSON.stringify(name)} is no name of a snapshot: lower-case letters, digits and '-'`, false);
}

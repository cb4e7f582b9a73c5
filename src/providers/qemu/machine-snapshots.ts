import { sleep, type Clock } from "../../base/clock.ts";
import { ProviderError, type Snapshot, type Snapshots } from "../provider.ts";
import type { Guests } from "./guests.ts";
import type { MachineSeen } from "./machine-record.ts";
import type { NodeMachines } from "./node-machines.ts";

const copyMsMax = 10 * 60_000;
const syncMsMax = 10_000;
const jobPollMs = 50;

export interface SnapshotsParts {
  readonly machines: NodeMachines;
  readonly guests: Guests;
  readonly clock: Clock;
}

/** $1 directory of what is kept. Name and seconds since the epoch of each, the oldest first. */
const listScript = `
cd "$1/snapshots" 2>/dev/null || exit 0
for each in *.qcow2; do [ -f "$each" ] && echo "$(stat -c %Y "$each") \${each%.qcow2}"; done | sort -n
`;
/** $1 directory of the machine, $2 of what is kept, $3 name. */
const copyScript = `mkdir -p "$2/snapshots" && cp --sparse=auto "$1/disk.qcow2" "$2/snapshots/.$3.new" && mv -f "$2/snapshots/.$3.new" "$2/snapshots/$3.qcow2"`;
/** The same: an empty layer over the image that the disk is over, for QEMU to copy into. Its size is the disk's. */
const layerScript = `
mkdir -p "$2/snapshots" && cd "$2/snapshots" || exit 1
info=$(qemu-img info -U "$1/disk.qcow2") || exit 1
size=$(printf '%s\\n' "$info" | sed -n 's/^virtual size: .*(\\([0-9]*\\) bytes)$/\\1/p')
back=$(printf '%s\\n' "$info" | sed -n 's/^backing file: //p')
format=$(printf '%s\\n' "$info" | sed -n 's/^backing file format: //p')
rm -f ".$3.new" && qemu-img create -q -f qcow2 -F "$format" -b "$back" ".$3.new" "$size"
`;
const keepScript = `mv -f "$2/snapshots/.$3.new" "$2/snapshots/$3.qcow2"`;
const dropScript = `rm -f "$2/snapshots/.$3.new"`;
const restoreScript = `[ -f "$2/snapshots/$3.qcow2" ] || exit 4; cp --sparse=auto "$2/snapshots/$3.qcow2" "$1/disk.qcow2.new" && mv -f "$1/disk.qcow2.new" "$1/disk.qcow2"`;
const removeScript = `rm -f "$2/snapshots/$3.qcow2"`;

/** States of a machine's first disk, each a copy of the layer over its image; only what was written takes room. */
export function createSnapshots({ machines, guests, clock }: SnapshotsParts): Snapshots {
  const found = async (id: string, signal: AbortSignal): Promise<MachineSeen> => {
    const seen = await machines.find(id, signal);
    if (seen === undefined || typeof seen.record !== "object") throw new ProviderError("NotFound", `there is no instance ${id}`, true);
    if (!seen.record.hasDisk) throw new ProviderError("SnapshotFailed", `${id} has no disk: it runs from its kernel and initrd alone`, false);
    return seen;
  };
  const script = async (text: string, id: string, name: string, signal: AbortSignal) => {
    const { home, work } = await machines.places(id);
    return machines.script(text, [home, work, refuseOdd(name)], { timeoutMs: copyMsMax, signal });
  };
  const must = async (text: string, id: string, name: string, signal: AbortSignal) => {
    const { code, stderr } = await script(text, id, name, signal);
    if (code !== 0) throw new ProviderError("SnapshotFailed", `snapshot ${name} of ${id} failed: ${stderr.trim().slice(0, 500)}`, true);
  };
  const list: Snapshots["list"] = async (id, signal) => {
    const { work } = await machines.places(id);
    const { stdout } = await machines.script(listScript, [work], { signal });
    return stdout.split("\n").flatMap((line): Snapshot[] => {
      const [seconds, name] = line.split(" ");
      return name === undefined ? [] : [{ name, createdAt: new Date(Number(seconds) * 1000).toISOString() }];
    });
  };

  return {
    list,
    async take(id, name, signal) {
      const { run } = await found(id, signal);
      if ((await list(id, signal)).some((each) => each.name === name)) return;
      if (run?.alive !== true) return must(copyScript, id, name, signal);
      // What the machine has not written to its disk yet is in no copy of that.
      await guests.known(id)?.run(["sync"], { timeoutMs: syncMsMax, signal });
      await must(layerScript, id, name, signal);
      const { work } = await machines.places(id);
      try {
        await machines.monitor(run, async ({ ask }) => {
          await ask("blockdev-add", { "node-name": "snapshot", driver: "qcow2", file: { driver: "file", filename: `${work}/snapshots/.${name}.new` } });
          try {
            await ask("blockdev-backup", { "job-id": "snapshot", device: "disk", target: "snapshot", sync: "top", "auto-dismiss": false });
            await jobEnd(ask, clock, signal);
          } finally {
            await ask("blockdev-del", { "node-name": "snapshot" });
          }
        }, signal, copyMsMax);
      } catch (error) {
        await script(dropScript, id, name, signal);
        if (error instanceof ProviderError) throw new ProviderError("SnapshotFailed", `snapshot ${name} of ${id} failed: ${error.message}`, true, { cause: error });
        throw error;
      }
      await must(keepScript, id, name, signal);
    },
    async restore(id, name, signal) {
      const { run } = await found(id, signal);
      if (run?.alive === true) throw new ProviderError("StillRunning", `${id} runs: stop it before its disk is put back`, true);
      const { code, stderr } = await script(restoreScript, id, name, signal);
      if (code === 4) throw new ProviderError("SnapshotNotFound", `${id} has no snapshot ${name}`, true);
      if (code !== 0) throw new ProviderError("SnapshotFailed", `${id} cannot be put back to ${name}: ${stderr.trim().slice(0, 500)}`, true);
    },
    async remove(id, name, signal) {
      await must(removeScript, id, name, signal);
    },
  };
}

/** Names become names of files. */
function refuseOdd(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) throw new ProviderError("InvalidSpec", `"${name}" cannot name a snapshot: lower-case letters, digits and '-' can`, false);
  return name;
}

async function jobEnd(ask: (command: string, args?: Readonly<Record<string, unknown>>) => Promise<unknown>, clock: Clock, signal: AbortSignal): Promise<void> {
  for (;;) {
    const jobs = (await ask("query-jobs")) as readonly { readonly id: string; readonly status: string; readonly error?: string }[];
    const job = jobs.find(({ id }) => id === "snapshot");
    if (job === undefined) return;
    if (job.status === "concluded") {
      await ask("job-dismiss", { id: "snapshot" });
      if (job.error !== undefined) throw new ProviderError("SnapshotFailed", job.error, true);
      return;
    }
    await sleep(clock, jobPollMs, signal);
  }
}

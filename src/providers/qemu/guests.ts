import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { untilAborted } from "../../base/until-aborted.ts";
import type { Transport } from "../../transports/transport.ts";
import { ProviderError } from "../provider.ts";
import { dialGuest } from "./guest-dial.ts";
import type { GuestWay } from "./guest-way.ts";
import { startIdOf, type MachineRecord, type MachineRun, type MachineSeen } from "./machine-record.ts";
import { shareTag, volumeSerial, type Sharing } from "./machine-argv.ts";
import { prepareScript } from "./prepare-script.ts";

/** Until a machine's sshd answers. One that is emulated takes many times as long as others. */
export const bootMsMax = 5 * 60_000;
/** Until it is prepared: its first boot may install packages. */
export const prepareMsMax = 20 * 60_000;

export type RunningMachine = MachineSeen & { readonly record: MachineRecord; readonly run: MachineRun };

export interface GuestsParts {
  readonly transport: Transport;
  readonly way: GuestWay;
  readonly clock: Clock;
  /** Keeps the key that a machine showed first. */
  readonly learn: (id: string, hostKey: string) => Promise<void>;
  readonly sharing: () => Promise<Sharing>;
}

/** The ways into running machines: one connection each, kept while that start of it lasts. */
export interface Guests {
  /** The machine's inside, prepared: its mounts are there. @throws ProviderError GuestUnreachable, BootFailed, GuestNotPrepared, FirstBootFailed, NotRunning, the signal's reason */
  of(machine: RunningMachine, signal: AbortSignal): Promise<Transport>;
  /** The same, if it is there already; of that start of it, when one is named. */
  known(id: string, startId?: string): Transport | undefined;
  /** The machine has ended, or is about to. */
  release(id: string): Promise<void>;
}

interface Guest {
  readonly startId: string;
  readonly transport: Transport;
  /** Serves many; ends by itself. */
  readonly ready: Promise<void>;
  isReady: boolean;
}

export function createGuests(parts: GuestsParts): Guests {
  const { transport, way, clock, learn } = parts;
  const open = new Map<string, Guest>();

  const release = async (id: string) => {
    const guest = open.get(id);
    open.delete(id);
    await guest?.transport.close();
  };
  const connect = (machine: RunningMachine): Guest => {
    const { id, record, run, learnedHostKey } = machine;
    let shown: string | undefined;
    let hasAnswered = false;
    const inside = way.open({
      name: id,
      // A machine that boots its own disk takes the key it is given; what a kernel that is booted directly does is its own business.
      hostKeys: record.engine.kernel === undefined ? [record.hostKey] : learnedHostKey === undefined ? [] : [learnedHostKey],
      onHostKey: async (line) => {
        // The first one counts; of a later connection no other is taken.
        if (shown !== undefined) return shown === line;
        shown = line;
        await learn(id, line);
        return true;
      },
      async dial(signal) {
        const stream = await dialGuest(transport, clock, id, run.sshPort, hasAnswered, signal);
        hasAnswered = true;
        return stream;
      },
    });
    const ready = prepare(parts, machine, inside);
    const guest: Guest = { startId: startIdOf(run), transport: inside, ready, isReady: false };
    ready.then(
      () => (guest.isReady = true),
      // The next one to ask tries again.
      () => (open.get(id) === guest ? release(id) : undefined),
    );
    open.set(id, guest);
    return guest;
  };

  return {
    async of(machine, signal) {
      const startId = startIdOf(machine.run);
      const known = open.get(machine.id);
      if (known !== undefined && known.startId !== startId) await release(machine.id);
      const guest = open.get(machine.id) ?? connect(machine);
      await untilAborted(guest.ready, signal);
      return guest.transport;
    },
    known(id, startId) {
      const guest = open.get(id);
      return guest?.isReady === true && (startId === undefined || guest.startId === startId) ? guest.transport : undefined;
    },
    release,
  };
}

async function prepare({ sharing }: GuestsParts, machine: RunningMachine, inside: Transport): Promise<void> {
  const { id, run } = machine;
  try {
    await inside.run(["true"], { timeoutMs: bootMsMax });
  } catch (error) {
    if (isEnd(error)) throw new ProviderError("BootFailed", `${id} ended before anybody could get in; what it showed is told by its console, which says nothing of a disk without a boot loader`, true, { cause: error });
    throw error instanceof ProviderError ? error : new ProviderError("GuestUnreachable", `${id} runs, and nobody can get in: ${messageOf(error)}; what it shows is told by its console`, true, { cause: error });
  }
  const lines = preparation(machine.record, await sharing());
  const { code, stderr } = await inside.run(["sh", "-c", prepareScript, "sh", startIdOf(run)], { stdin: lines, timeoutMs: prepareMsMax });
  const said = stderr.trim().slice(-1000);
  if (code === 2) throw new ProviderError("FirstBootFailed", `cloud-init failed in ${id}: ${said}`, true);
  if (code !== 0) throw new ProviderError("GuestNotPrepared", `${id} runs, and cannot be prepared: ${said || `exit code ${code}`}`, true);
}

/** Whether there was nobody to connect to any more. */
function isEnd(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ProviderError && at.reason === "NotRunning") return true;
  return false;
}

/** What `prepareScript` reads. */
export function preparation({ hostname, mounts, resources }: MachineRecord, sharing: Sharing): string {
  const mode = (readOnly: boolean) => (readOnly ? "ro" : "rw");
  const volumes = mounts.filter((each) => each.kind === "volume");
  const shares = mounts.filter((each) => each.kind === "bind");
  const lines = [
    ["hostname", hostname],
    ...volumes.map(({ target, readOnly }, i) => ["volume", volumeSerial(i), target, mode(readOnly)]),
    ...shares.map(({ target, readOnly }, i) => ["share", sharing.by, shareTag(i), target, mode(readOnly)]),
    ...mounts.flatMap((each) => (each.kind === "tmpfs" ? [["tmpfs", each.target, String(each.sizeBytes ?? "")]] : [])),
    ...(resources.pidsMax === undefined ? [] : [["pids", String(resources.pidsMax)]]),
  ];
  return lines.map((fields) => `${fields.join("\t")}\n`).join("");
}

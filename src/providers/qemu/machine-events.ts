import { sleep, type Clock } from "../../base/clock.ts";
import type { Transport } from "../../transports/transport.ts";
import { startIdOf, type MachineRun } from "./machine-record.ts";
import { monitorSocket, type NodeMachines } from "./node-machines.ts";
import { greetQemu } from "./qmp.ts";

/** Machines that somebody else started are found this often. */
const lookMs = 10_000;

export interface MachineEventsParts {
  readonly transport: Transport;
  readonly machines: NodeMachines;
  readonly clock: Clock;
}

/** Ids of machines that something happened to. A verb of ours tells by `changed`; each machine's QEMU tells the rest, its end by ending. */
export interface MachineEvents {
  changed(id: string): void;
  follow(cluster: string, signal: AbortSignal): AsyncIterable<string>;
}

export function createMachineEvents({ transport, machines, clock }: MachineEventsParts): MachineEvents {
  const followers = new Set<(id: string) => void>();

  async function* follow(cluster: string, signal: AbortSignal): AsyncIterable<string> {
    const ending = new AbortController();
    const both = AbortSignal.any([signal, ending.signal]);
    const queue = new Set<string>([""]);
    let wake = () => {};
    let failed: Error | undefined;
    const hint = (id: string) => {
      queue.add(id);
      wake();
    };
    const watched = new Map<string, Promise<void>>();
    let lookAgain = new AbortController();
    const onChange = (id: string) => {
      hint(id);
      lookAgain.abort();
    };
    followers.add(onChange);
    const onAbort = () => wake();
    signal.addEventListener("abort", onAbort, { once: true });

    const watch = async (id: string, run: MachineRun) => {
      try {
        const stream = await transport.dial({ socketPath: monitorSocket(run, "events") }, both);
        await using qmp = await greetQemu(stream, both);
        for await (const event of qmp.events()) if (isTelling(event)) hint(id);
      } catch {
        // It has ended, or another follower has its events: whichever it is, a look will tell.
      }
      if (!both.aborted) hint(id);
    };
    const looking = (async () => {
      while (!both.aborted) {
        lookAgain = new AbortController();
        for (const { id, run } of await machines.look(`vendetta-${cluster}-*`, both)) {
          if (run?.alive !== true || watched.has(startIdOf(run))) continue;
          watched.set(startIdOf(run), watch(id, run).finally(() => void watched.delete(startIdOf(run))));
        }
        await sleep(clock, lookMs, AbortSignal.any([both, lookAgain.signal])).catch(() => {});
      }
    })().catch((error: unknown) => {
      failed = error as Error;
      wake();
    });

    try {
      while (!both.aborted) {
        const [id] = queue;
        if (id !== undefined) {
          queue.delete(id);
          yield id;
        } else if (failed !== undefined) throw failed;
        else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      followers.delete(onChange);
      signal.removeEventListener("abort", onAbort);
      ending.abort(new Error("nobody follows any more"));
      await looking;
      await Promise.all(watched.values());
    }
  }

  return { changed: (id) => [...followers].forEach((tell) => tell(id)), follow };
}

/** Others tell of the guest's clock and devices. */
const isTelling = (event: string) => /^(SHUTDOWN|STOP|RESUME|RESET|SUSPEND|WAKEUP|GUEST_PANICKED|BLOCK_IO_ERROR)$/.test(event);

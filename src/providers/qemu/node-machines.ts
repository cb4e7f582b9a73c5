import { messageOf } from "../../base/errors.ts";
import { timeoutSignal, type Clock } from "../../base/clock.ts";
import type { RunOptions, RunResult, Transport } from "../../transports/transport.ts";
import { ProviderError } from "../provider.ts";
import type { RunningMachine } from "./guests.ts";
import type { MachineRun, MachineSeen } from "./machine-record.ts";
import { lookScript } from "./node-scripts.ts";
import { greetQemu, type Qmp } from "./qmp.ts";
import { readMachines } from "./read-machines.ts";

const commandMsMax = 15_000;
const monitorMsMax = 10_000;
/** Bytes of one look at all machines of a node: a record is a few thousand. */
const lookBytesMax = 64 * 1024 * 1024;

export interface NodeMachinesParts {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Tells the directory on the node that holds everything; asked at each use, as the machine may have to be. */
  readonly dir: () => Promise<string>;
}

/** Where a machine's things are on its node. */
export interface MachinePlaces {
  /** One directory a machine. */
  readonly root: string;
  readonly home: string;
  /** What is kept for its owner over re-creations. */
  readonly work: string;
  readonly images: string;
}

/** The machines of one node as files and processes tell of them. */
export interface NodeMachines {
  places(id: string): Promise<MachinePlaces>;
  /** @param pattern an id, or a beginning with '*' */
  look(pattern: string, signal: AbortSignal): Promise<readonly MachineSeen[]>;
  find(id: string, signal: AbortSignal): Promise<MachineSeen | undefined>;
  /** @throws ProviderError NotFound, NotRunning, Broken */
  running(id: string, signal: AbortSignal): Promise<RunningMachine>;
  /** Runs a script on the node. @throws ProviderError EngineUnreachable, the signal's reason */
  script(text: string, args: readonly string[], options: Partial<RunOptions>): Promise<RunResult>;
  /** Talks to the machine's QEMU, by a way that leads to that very process. @throws as Qmp */
  monitor<T>(run: MachineRun, use: (qmp: Qmp) => Promise<T>, signal: AbortSignal, timeoutMs?: number): Promise<T>;
}

/** The longest path of a unix socket is 107 bytes; by the process's own directory it is short, and no other process is met. */
export const monitorSocket = ({ pid }: MachineRun, name: "qmp" | "events") => `/proc/${pid}/cwd/${name}.sock`;

export function createNodeMachines({ transport, clock, dir }: NodeMachinesParts): NodeMachines {
  const unreachable = (error: unknown) => new ProviderError("EngineUnreachable", messageOf(error), true, { cause: error });
  const folder = () => dir().catch((error: unknown) => Promise.reject(unreachable(error)));
  const script: NodeMachines["script"] = (text, args, options) =>
    transport.run(["sh", "-c", text, "sh", ...args], { timeoutMs: commandMsMax, ...options }).catch((error: unknown) => Promise.reject(options.signal?.aborted === true ? error : unreachable(error)));

  const look: NodeMachines["look"] = async (pattern, signal) => {
    const { stdout, stderr, code, truncated } = await script(lookScript, [`${await folder()}/qemu`, pattern], { signal, outputBytesMax: lookBytesMax });
    if (code !== 0 || truncated) throw new ProviderError("EngineUnreachable", `machines on ${transport.name} cannot be listed: ${truncated ? "there are too many" : stderr.trim().slice(0, 300)}`, true);
    return readMachines(stdout);
  };
  const find: NodeMachines["find"] = async (id, signal) => (await look(id, signal))[0];

  return {
    async places(id) {
      const base = await folder();
      return { root: `${base}/qemu`, home: `${base}/qemu/${id}`, work: `${base}/qemu/work/${id}`, images: `${base}/qemu-images` };
    },
    look,
    find,
    async running(id, signal) {
      const seen = await find(id, signal);
      if (seen === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
      const { record, run } = seen;
      if (typeof record !== "object") throw new ProviderError("Broken", `${id} cannot be used: ${record ?? "its creation was cut off"}`, true);
      if (run?.alive !== true) throw new ProviderError("NotRunning", `${id} does not run`, true);
      return { ...seen, record, run };
    },
    script,
    async monitor(run, use, signal, timeoutMs = monitorMsMax) {
      using bound = timeoutSignal(clock, timeoutMs, "asking QEMU", signal);
      const stream = await transport.dial({ socketPath: monitorSocket(run, "qmp") }, bound.signal);
      await using qmp = await greetQemu(stream, bound.signal);
      return await use(qmp);
    },
  };
}

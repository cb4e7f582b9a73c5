import { createHash } from "node:crypto";
import { sleep, type Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Transport } from "../../transports/transport.ts";
import { ProviderError } from "../provider.ts";
import type { GuestWay } from "./guest-way.ts";
import { machineArgv } from "./machine-argv.ts";
import { memoryBytesDefault, type MachineRecord } from "./machine-record.ts";
import { acceleratorFor, type NodeFacts } from "./node-facts.ts";
import type { NodeMachines } from "./node-machines.ts";
import { consoleLogBytesMax, launchScript, launchSecondsMax } from "./node-scripts.ts";

/** On the node, for the machines' sshds: above the range that node ports are chosen from. */
const sshPortFirst = 25_000;
const sshPorts = 5_000;
const answerPollMs = 20;
/** Ports tried before giving up: each may be somebody else's. */
const portTriesMax = 20;

export interface LaunchParts {
  readonly transport: Transport;
  readonly machines: NodeMachines;
  readonly facts: NodeFacts;
  readonly way: GuestWay;
  readonly clock: Clock;
}

/** Starts the machine's QEMU, and returns when that answers. No-op when it runs. @throws ProviderError PortInUse, StartFailed, AcceleratorMissing, EngineUnreachable */
export async function launchMachine(parts: LaunchParts, id: string, record: MachineRecord, ports: MachineRecord["ports"], signal: AbortSignal): Promise<void> {
  const { transport, machines, facts, way } = parts;
  const places = await machines.places(id);
  const [accelerator, sharing, publicKey] = await Promise.all([acceleratorFor(facts, record.engine.accelerator, transport.name), facts.sharing(), way.publicKey()]);
  const shares = sharing.by === "virtiofs" ? record.mounts.flatMap((each) => (each.kind === "bind" ? [sharing.program, each.source] : [])) : [];
  // Begun at a place of its own, it tends to get the same port again.
  const seed = createHash("sha256").update(id).digest().readUInt32BE(0);
  for (let tried = 0; ; tried++) {
    const sshPort = sshPortFirst + ((seed + tried) % sshPorts);
    if (!ports.some(({ nodePort }) => nodePort === sshPort) && (await transport.isPortFree(sshPort))) {
      const argv = machineArgv({ id, record, accelerator, sharing, sshPort, ports, workDir: places.work, publicKey });
      const failure = await attempt(parts, id, [places.home, String(sshPort), String(consoleLogBytesMax), String(launchSecondsMax), String(shares.length / 2), ...shares, ...argv], signal);
      if (failure === undefined) return;
      const stolen = Number(/forwarding rule '\w+:127\.0\.0\.1:(\d+)-/.exec(failure)?.[1]);
      if (stolen !== sshPort) throw Number.isNaN(stolen) ? new ProviderError("StartFailed", whyNotRun(failure, id, record, transport.name), true) : new ProviderError("PortInUse", `node port ${stolen} of ${transport.name} is in use by another program`, true);
    }
    if (tried >= portTriesMax) throw new ProviderError("PortInUse", `of the ${portTriesMax} ports from ${sshPortFirst + (seed % sshPorts)} on, none is free on ${transport.name} for the machine's sshd`, true);
  }
}

/** Exported for its test. @param failure in QEMU's words */
export function whyNotRun(failure: string, id: string, { resources: { memoryBytes } }: Pick<MachineRecord, "resources">, where: string): string {
  // As QEMU 7.2 says it; the second of memory that directories are shared through.
  if (!/cannot set up guest memory|memory-backend-\w+,.*Cannot allocate memory/.test(failure)) return `QEMU does not run ${id}: ${failure}`;
  const memory = `${Math.ceil((memoryBytes ?? memoryBytesDefault) / 1024 ** 2)}Mi`;
  return `spec.resources.memory is ${memoryBytes === undefined ? `absent, which is ${memory}` : memory}, and ${where} cannot give ${id} that much`;
}

/** What went wrong, in QEMU's words; undefined: it runs. */
async function attempt({ machines, clock }: LaunchParts, id: string, args: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  const { code, stdout, stderr } = await machines.script(launchScript, args, { timeoutMs: (launchSecondsMax + 10) * 1000, signal });
  if (code !== 0) return (stdout.trim() || stderr.trim() || `exit code ${code}`).slice(-1000);
  const untilMs = clock.monotonic() + launchSecondsMax * 1000;
  for (;;) {
    const seen = await machines.find(id, signal);
    if (seen?.run?.alive !== true) break;
    try {
      // Its monitor is there before its ports are: it answers once all of it is.
      await machines.monitor(seen.run, (qmp) => qmp.ask("query-status"), signal);
      return undefined;
    } catch (error) {
      if (signal.aborted) throw error;
      // Its socket is there before it listens, and goes when it ends.
      const isEarly = codeOf((error as Error).cause) === "ECONNREFUSED" || (error instanceof ProviderError && error.reason === "QemuGone");
      if (!isEarly || clock.monotonic() > untilMs) throw new ProviderError("StartFailed", `QEMU of ${id} runs, and does not answer: ${messageOf(error)}`, true, { cause: error });
      await sleep(clock, answerPollMs, signal);
    }
  }
  const log = await machines.script('tail -c 2000 "$1/qemu.log"', [args[0]!], { signal });
  return log.stdout.trim() || "it ended without a word";
}

import type { Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { TransportError, type Transport } from "../../transports/transport.ts";
import { instanceId, ProviderError, type Instance, type Provider } from "../provider.ts";
import { whyNotRun } from "../why-not-run.ts";
import { createMachine } from "./create-machine.ts";
import { createGuests } from "./guests.ts";
import { growDisks } from "./grow-disks.ts";
import type { GuestWay } from "./guest-way.ts";
import { createIdLocks } from "./id-locks.ts";
import { launchMachine } from "./launch-machine.ts";
import { createMachineEvents } from "./machine-events.ts";
import { instanceOf, startIdOf, type MachineRun, type MachineSeen } from "./machine-record.ts";
import { createSnapshots } from "./machine-snapshots.ts";
import { machineUsage } from "./machine-usage.ts";
import { createNodeFacts, probeNode } from "./node-facts.ts";
import { createNodeMachines } from "./node-machines.ts";
import { consoleLogBytesMax, consoleScript, endScript } from "./node-scripts.ts";
import { enterScript } from "./prepare-script.ts";
import { publishPorts, withdrawPorts } from "./published-ports.ts";

export interface QemuProviderParts {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Tells the directory on the transport's machine that holds all machines, images and kept disks. Absolute; asked at each use. */
  readonly dir: () => Promise<string>;
  readonly guests: GuestWay;
}

/** For asking a machine from inside to end; QEMU has asked it by its power button already. */
const powerOffMsMax = 5_000;
const flushMsMax = 3_000;
/** For SIGTERM and SIGKILL, after the grace. */
const endMsMax = 15_000;
const removeMsMax = 60_000;

/**
 * Virtual machines, each a process of the node that nobody waits for. What is true of one is in its directory (the record, the
 * process's pid with start time and boot) and in its QEMU's own answers; what goes on inside goes over SSH.
 */
export function createQemuProvider({ transport, clock, dir, guests: way }: QemuProviderParts): Provider {
  const machines = createNodeMachines({ transport, clock, dir });
  const facts = createNodeFacts(transport);
  const events = createMachineEvents({ transport, machines, clock });
  const learn = async (id: string, hostKey: string) => transport.files.write(`${(await machines.places(id)).home}/learned_host_key`, `${hostKey}\n`);
  const guests = createGuests({ transport, way, clock, learn, sharing: () => facts.sharing() });
  const locks = createIdLocks();

  /** A machine whose QEMU does not tell is taken to run: it lives. */
  const isPaused = async (run: MachineRun, signal: AbortSignal): Promise<boolean> => {
    try {
      const { status } = (await machines.monitor(run, (qmp) => qmp.ask("query-status"), signal)) as { readonly status: string };
      return ["paused", "io-error", "suspended"].includes(status);
    } catch (error) {
      if (signal.aborted) throw error;
      return false;
    }
  };
  const told = async (seen: MachineSeen, signal: AbortSignal): Promise<Instance> => {
    const { run } = seen;
    const isRunning = run?.alive === true;
    const instance = instanceOf(seen, isRunning && (await isPaused(run, signal)));
    return isRunning && guests.known(seen.id, startIdOf(run)) === undefined ? { ...instance, awaitsEntry: true } : instance;
  };
  const start = async (id: string, signal: AbortSignal) => {
    const seen = await machines.find(id, signal);
    if (seen === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
    if (typeof seen.record !== "object") throw new ProviderError("Broken", `${id} cannot be used: ${seen.record ?? "its creation was cut off"}`, true);
    if (seen.run?.alive !== true) await launchMachine({ transport, machines, facts, way, clock }, id, seen.record, seen.ports, signal);
    else if (await isPaused(seen.run, signal)) await machines.monitor(seen.run, (qmp) => qmp.ask("cont"), signal);
  };
  /** Asks a machine to power off, by its button and from inside: not every guest listens to both. */
  const askToEnd = async (id: string, run: MachineRun, signal: AbortSignal) => {
    const inside = guests.known(id);
    const byButton = machines.monitor(run, async (qmp) => (await qmp.ask("cont"), await qmp.ask("system_powerdown")), signal);
    // Whether anybody listened is seen by the end that comes, or does not.
    await Promise.allSettled([byButton, ...(inside === undefined ? [] : [inside.run(["sh", "-c", "sync; exec poweroff"], { timeoutMs: powerOffMsMax, signal })])]);
  };
  /** What a machine has not written to its kept disks yet goes with it; one that does not answer soon is ended all the same. */
  const flush = async (id: string, signal: AbortSignal) => {
    await guests.known(id)?.run(["sync"], { timeoutMs: flushMsMax, signal }).catch((error: unknown) => signal.aborted && Promise.reject(error));
  };
  const stop = async (id: string, graceSeconds: number, keepsDisks: boolean, signal: AbortSignal) => {
    const seen = await machines.find(id, signal);
    if (seen === undefined) return;
    if (seen.run?.alive === true && graceSeconds > 0) await askToEnd(id, seen.run, signal);
    else if (seen.run?.alive === true && keepsDisks) await flush(id, signal);
    const { home } = await machines.places(id);
    const { code, stdout } = await machines.script(endScript, [home, String(graceSeconds)], { timeoutMs: graceSeconds * 1000 + endMsMax, signal });
    if (code !== 0) throw new ProviderError("StopFailed", `QEMU of ${id} cannot be ended: ${stdout.trim()}`, true);
    await guests.release(id);
  };
  const inside = async (id: string, signal: AbortSignal) => {
    const machine = await machines.running(id, signal);
    return { machine, guest: await guests.of(machine, signal) };
  };

  return {
    name: "qemu",
    features: { publishesPorts: true, sharesNodeNetwork: false, images: true, limits: true, snapshots: true, isolation: "vm" },
    probe: (signal) => probeNode(transport, facts, signal),
    async list(cluster, signal) {
      const seen = await machines.look(`vendetta-${cluster}-*`, signal);
      return Promise.all(seen.map((each) => told(each, signal)));
    },
    async inspect(id, signal) {
      const seen = await machines.find(id, signal);
      return seen && told(seen, signal);
    },
    create: (spec, progress, signal) => locks.hold(instanceId(spec.owner), signal, async () => {
      await createMachine({ transport, machines, way }, spec, progress, signal);
      events.changed(instanceId(spec.owner));
    }),
    async start(id, signal) {
      await locks.hold(id, signal, () => start(id, signal));
      events.changed(id);
      // Started is what can be worked in. Nobody is kept from stopping it meanwhile.
      await inside(id, signal);
    },
    stop: (id, graceSeconds, signal) => locks.hold(id, signal, async () => {
      await stop(id, graceSeconds, true, signal);
      events.changed(id);
    }),
    destroy: (id, { volumes }, signal) => locks.hold(id, signal, async () => {
      await stop(id, 0, !volumes, signal);
      const { home, work } = await machines.places(id);
      const { code, stderr } = await machines.script('rm -rf -- "$@"', [home, ...(volumes ? [work] : [])], { timeoutMs: removeMsMax, signal });
      if (code !== 0) throw new ProviderError("DestroyFailed", `${id} cannot be removed: ${stderr.trim().slice(0, 500)}`, true);
      events.changed(id);
    }),
    async exec(id, argv, { env, workingDir, user, tty, signal }) {
      const { machine: { record }, guest } = await inside(id, signal ?? new AbortController().signal);
      const as = user ?? record.user ?? "";
      const isPlain = (as === "" || as === "root") && record.resources.pidsMax === undefined;
      const command = isPlain ? argv : ["sh", "-c", enterScript, "sh", as === "root" ? "" : as, record.resources.pidsMax === undefined ? "" : "limit", ...argv];
      try {
        return await guest.exec(command, { env: { ...record.env, ...env }, cwd: workingDir ?? record.workingDir, tty, signal });
      } catch (error) {
        throw whyNotRun(error);
      }
    },
    async dial(id, port, signal) {
      const { guest } = await inside(id, signal);
      try {
        return await guest.dial({ host: "127.0.0.1", port }, signal);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        if (codeOf(error.cause) !== "ECONNREFUSED") throw new ProviderError("Unreachable", messageOf(error), true, { cause: error });
        throw new ProviderError("ConnectionRefused", `nothing listens on port ${port}`, true, { cause: error });
      }
    },
    publish: (id, ports, signal) => locks.hold(id, signal, async () => publishPorts(machines, transport, await machines.running(id, signal), ports, signal)),
    growDisks: (id, sizes, signal) => locks.hold(id, signal, async () => {
      const seen = await machines.find(id, signal);
      if (seen === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
      await growDisks(machines, seen, sizes, signal);
    }),
    withdraw: (id, nodePorts, signal) => locks.hold(id, signal, async () => {
      const seen = await machines.find(id, signal);
      if (seen === undefined) return;
      if (seen.run?.alive === true) throw new ProviderError("StillRunning", `${id} runs: other ports are published while it does`, true);
      await withdrawPorts(machines, transport, seen, nodePorts, signal);
    }),
    async console(id, bytesMax, signal) {
      const { home } = await machines.places(id);
      const { stdout } = await machines.script(consoleScript, [home, String(Math.min(bytesMax, 2 * consoleLogBytesMax))], { signal, outputBytesMax: 2 * consoleLogBytesMax });
      return stdout;
    },
    snapshots: createSnapshots({ machines, guests, clock }),
    async usage(id, signal) {
      const seen = await machines.find(id, signal);
      return seen?.run?.alive !== true ? undefined : machineUsage(machines, id, () => inside(id, signal).then(({ guest }) => guest), signal);
    },
    events: (cluster, signal) => events.follow(cluster, signal),
  };
}

import type { Duplex } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { untilAborted } from "../../base/until-aborted.ts";
import { TransportError, type Transport } from "../../transports/transport.ts";
import { instanceId, ProviderError, type Instance, type InstanceSpec, type Progress, type Provider } from "../provider.ts";
import { destroyScript, stopScript } from "./end-scripts.ts";
import { parseList, type Told } from "./list-output.ts";
import { listScript, usageScript } from "./look-scripts.ts";
import { createInstance } from "./create-instance.ts";
import { containerHints } from "./lxc-events.ts";
import { execInContainer } from "./lxc-exec.ts";
import { createLxcSnapshots } from "./lxc-snapshots.ts";
import { lxcPathsOf, vethOf, type LxcPaths } from "./lxc-paths.ts";
import type { LxcRecord } from "./lxc-record.ts";
import { probeNode } from "./lxc-probe.ts";
import { usageFromCgroup } from "./lxc-usage.ts";
import { runScript, type NodeShell } from "./node-shell.ts";
import { startInstance } from "./start-instance.ts";

/** Connects on the transport's machine by a program there: to what only that program reaches. */
export type Relay = (exec: Transport["exec"], target: { readonly host: string; readonly port: number }, signal: AbortSignal) => Promise<{ readonly connection: Duplex } | { readonly code: string; readonly said: string }>;

export interface LxcProviderParts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  /** Tells the directory on the transport's machine below which everything of this provider is. Absolute; asked at each use, as the machine may have to be. */
  readonly dir: () => Promise<string>;
  readonly relay: Relay;
}

/** As long as the next listing may take to come. */
const seenMsMax = 15_000;
const lookTimeoutMs = 30_000;
/** Beside the grace: for an init that is killed, and for its cgroups and its network to go. */
const endTimeoutMs = 60_000;
const listBytesMax = 16 * 1024 * 1024;
const usableMs = 60_000;

/** Containers of LXC. Needs root on the node, and LXC's own programs; nothing else is installed there. */
export function createLxcProvider(parts: LxcProviderParts): Provider {
  const { transport, clock, random, dir, relay } = parts;
  const shell: NodeShell = { transport };
  /** What was seen running a moment ago: a health check every few seconds need not look at it each time. */
  const seen = new Map<string, { readonly told: Told; readonly untilMs: number }>();
  /** What was started a moment ago: its first commands need not look what it was made from. Whether it runs, each command sees itself. */
  const started = new Map<string, { readonly record: LxcRecord; readonly untilMs: number }>();
  const forget = (id: string) => {
    seen.delete(id);
    started.delete(id);
  };
  let usable: { readonly probe: Awaited<ReturnType<typeof probeNode>>; readonly untilMs: number } | undefined;

  const paths = async (signal: AbortSignal | undefined): Promise<LxcPaths> => {
    const where = await untilAborted(dir(), signal).catch((error: unknown) => {
      if (signal?.aborted === true) throw error;
      throw new ProviderError("EngineUnreachable", messageOf(error), true, { cause: error });
    });
    return lxcPathsOf(where);
  };
  const look = async (pattern: string, signal: AbortSignal | undefined): Promise<Told[]> => {
    const { lxcPath } = await paths(signal);
    return parseList(await runScript(shell, listScript, [lxcPath, pattern], { signal, timeoutMs: lookTimeoutMs, outputBytesMax: listBytesMax }));
  };
  const find = async (id: string, signal: AbortSignal | undefined): Promise<Told | undefined> => {
    assertId(id);
    const [told] = await look(id, signal);
    if (told?.instance.state === "running") seen.set(id, { told, untilMs: clock.monotonic() + seenMsMax });
    else seen.delete(id);
    return told;
  };
  const findRunning = async (id: string, signal: AbortSignal | undefined): Promise<Told> => {
    const known = seen.get(id);
    if (known !== undefined && clock.monotonic() < known.untilMs) return known.told;
    const told = await find(id, signal);
    if (told === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
    if (told.record === undefined || told.instance.state !== "running") throw new ProviderError("NotRunning", `${id} does not run`, true);
    return told;
  };

  return {
    name: "lxc",
    features: { publishesPorts: false, sharesNodeNetwork: false, images: true, limits: true, snapshots: true, isolation: "container" },
    async probe(signal) {
      if (usable !== undefined && clock.monotonic() < usable.untilMs) return usable.probe.answer;
      const probe = await probeNode(shell, signal);
      usable = probe.answer.usable ? { probe, untilMs: clock.monotonic() + usableMs } : undefined;
      return probe.answer;
    },
    inspect: async (id, signal) => (await find(id, signal))?.instance,
    list: async (cluster, signal): Promise<Instance[]> => (await look(`vendetta-${cluster}-*`, signal)).map(({ instance }) => instance),
    async create(spec: InstanceSpec, progress: Progress, signal: AbortSignal) {
      const id = instanceId(spec.owner);
      const [told] = await look(id, signal);
      if (told?.record !== undefined) return;
      await createInstance({ shell, paths: await paths(signal), node: await probeNode(shell, signal) }, spec, progress, signal);
    },
    async start(id, signal) {
      const told = await find(id, signal);
      if (told === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
      if (told.record === undefined) throw new ProviderError("StartFailed", `${id} cannot be started: ${told.instance.problems.join("; ")}`, true);
      if (told.instance.state === "running") return;
      forget(id);
      await startInstance({ shell, paths: await paths(signal), node: () => probeNode(shell, signal) }, id, told.record, signal);
      started.set(id, { record: told.record, untilMs: clock.monotonic() + seenMsMax });
    },
    async stop(id, graceSeconds, signal) {
      assertId(id);
      forget(id);
      const { lxcPath } = await paths(signal);
      await runScript(shell, stopScript, [lxcPath, id, String(Math.ceil(graceSeconds))], { signal, timeoutMs: graceSeconds * 1000 + endTimeoutMs });
      forget(id);
    },
    async destroy(id, { volumes }, signal) {
      assertId(id);
      forget(id);
      const { lxcPath, bridge, node, work } = await paths(signal);
      await runScript(shell, destroyScript, [lxcPath, id, vethOf(lxcPath, id), bridge, node, volumes ? `${work}/${id}` : ""], { signal, timeoutMs: endTimeoutMs * 2 });
      forget(id);
    },
    async exec(id, argv, options) {
      const begun = started.get(id);
      const record = begun !== undefined && clock.monotonic() < begun.untilMs ? begun.record : (await findRunning(id, options.signal)).record!;
      const { lxcPath } = await paths(options.signal);
      return execInContainer({ transport, lxcPath, mark: random.uuid() }, id, record, argv, options);
    },
    async dial(id, port, signal) {
      const { instance } = await findRunning(id, signal);
      try {
        if (instance.address !== undefined) return await transport.dial({ host: instance.address, port }, signal);
        return await dialInside(instance, port, signal);
      } catch (error) {
        seen.delete(id);
        if (!(error instanceof TransportError)) throw error;
        const refused = codeOf(error.cause) === "ECONNREFUSED";
        throw new ProviderError(refused ? "ConnectionRefused" : "Unreachable", refused ? `nothing listens on port ${port} (or only on 127.0.0.1 inside)` : messageOf(error), true, { cause: error });
      }
    },
    snapshots: createLxcSnapshots(shell, paths),
    async console(id, bytesMax, signal) {
      assertId(id);
      const { lxcPath } = await paths(signal);
      const script = `{ cat "$1/$2/console.log.1"; cat "$1/$2/console.log"; } 2>/dev/null | tail -c "$3"`;
      return runScript(shell, script, [lxcPath, id, String(bytesMax)], { signal, timeoutMs: lookTimeoutMs, outputBytesMax: bytesMax });
    },
    async usage(id, signal) {
      assertId(id);
      const { lxcPath } = await paths(signal);
      return usageFromCgroup(await runScript(shell, usageScript, [lxcPath, id], { signal, timeoutMs: lookTimeoutMs }));
    },
    async *events(cluster, signal) {
      const { node } = await paths(signal);
      yield* containerHints(transport, `${node}/watch`, cluster, signal);
    },
  };

  /** Without a network that the node reaches: a program of the node is let into the container's network, and nothing else of it. */
  async function dialInside({ id, startId }: Instance, port: number, signal: AbortSignal): Promise<Duplex> {
    const pid = startId?.split(".")[0] ?? "";
    const inNetwork: Transport["exec"] = (argv, options) => transport.exec(["nsenter", `--net=/proc/${pid}/ns/net`, "--", ...argv], options);
    const result = await relay(inNetwork, { host: "127.0.0.1", port }, signal);
    if ("connection" in result) return result.connection;
    if (result.code === "ECONNREFUSED") throw new ProviderError("ConnectionRefused", `nothing listens on port ${port}`, true);
    if (result.code === "ENOSYS") throw new ProviderError("Unreachable", `${id} has no network that reaches the node, and ${transport.name} has neither python3 nor socat to carry a connection into it; install one`, true);
    throw new ProviderError("Unreachable", `port ${port} of ${id} cannot be reached: ${result.code} ${result.said}`, true);
  }
}

/** Ids are parts of paths here. */
function assertId(id: string): void {
  if (!/^vendetta-[a-z0-9]+-[A-Za-z0-9_.-]+$/.test(id)) throw new ProviderError("NotFound", `there is no instance ${JSON.stringify(id)}`, true);
}

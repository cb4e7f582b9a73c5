import type { Duplex } from "node:stream";
import { z } from "zod";
import type { Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { untilAborted } from "../../base/until-aborted.ts";
import { TransportError, type Transport } from "../../transports/transport.ts";
import { instanceId, ProviderError, type Instance, type InstanceSpec, type Provider, type ProviderProbe } from "../provider.ts";
import { whyNotRun } from "../why-not-run.ts";
import { endProcessesScript, instanceMark, probeScript, usageScript } from "./host-scripts.ts";
import { usageFromStat } from "./host-usage.ts";

export interface HostProviderParts {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Tells the directory on the transport's machine that holds one directory an instance. Absolute; asked at each use, as the machine may have to be. */
  readonly dir: () => Promise<string>;
}

/** As long as the next listing may take to come. */
const seenMsMax = 15_000;
/** Programs that a machine has are not taken away from it every few seconds. */
const usableMs = 60_000;
const fileBytesMax = 1024 * 1024;
const commandTimeoutMs = 10_000;

/** What `instance.json` holds: written last, so that a directory without it is a half-made instance. */
const record = z.object({
  owner: z.object({ cluster: z.string(), uid: z.string(), namespace: z.string(), name: z.string() }),
  generation: z.number(),
  specHash: z.string(),
  env: z.record(z.string(), z.string()),
  workingDir: z.string().optional(),
});
type InstanceRecord = z.infer<typeof record>;

/** Beside the instances, so that it outlives one. `home` is an instance's directory. */
const workOf = (home: string) => home.replace(/\/([^/]+)$/, "/work/$1");

/**
 * Plain processes of the machine, with no isolation: an instance is a directory, and whatever carries its mark in the
 * environment. `running` is a note in that directory that names the boot of the machine it was made in.
 */
export function createHostProvider({ transport, clock, dir }: HostProviderParts): Provider {
  const files = transport.files;
  const running = createSeenRunning(clock);
  let usable: { readonly probe: ProviderProbe; readonly untilMs: number } | undefined;
  const folder = () => dir().catch((error: unknown) => Promise.reject(unreachable(error)));
  const homeOf = async (id: string) => `${await folder()}/${id}`;

  const readText = async (path: string): Promise<string | undefined> => {
    try {
      return Buffer.from(await files.read(path, fileBytesMax)).toString("utf8");
    } catch (error) {
      if (codeOf((error as TransportError).cause) === "ENOENT") return undefined;
      throw unreachable(error);
    }
  };
  const bootId = (): Promise<string> => {
    const boot = readText("/proc/sys/kernel/random/boot_id").then((text) => text?.trim() ?? "");
    // Read ahead, and perhaps for nobody: a failure is told to who comes to need it.
    boot.catch(() => {});
    return boot;
  };

  const load = async (home: string): Promise<InstanceRecord | undefined> => {
    const text = await readText(`${home}/instance.json`);
    return text === undefined ? undefined : record.parse(JSON.parse(text));
  };
  const startedIn = async (boot: Promise<string>, home: string): Promise<{ readonly note: string | undefined; readonly startId: string | undefined }> => {
    const note = (await readText(`${home}/started`))?.trim();
    const [noted, startId] = note?.split(" ") ?? [];
    return { note, startId: noted !== undefined && startId !== undefined && noted === (await boot) ? startId : undefined };
  };
  const started = async (home: string) => (await startedIn(bootId(), home)).startId;
  const names = async () => files.list(await folder()).catch((error: unknown) => Promise.reject(unreachable(error)));

  /** @param boot of the machine; read once for many instances */
  const inspect = async (id: string, boot: Promise<string> = bootId()): Promise<Instance | undefined> => {
    const seen = running.look();
    const home = await homeOf(id);
    let found: InstanceRecord | undefined;
    try {
      found = await load(home);
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      return broken(id, home, `its record cannot be read: ${messageOf(error)}`);
    }
    if (found === undefined) running.forget(id);
    if (found === undefined) return (await names()).includes(id) ? broken(id, home, "its creation was cut off") : undefined;
    const { note, startId } = await startedIn(boot, home);
    seen(id, startId !== undefined);
    return {
      id, owner: found.owner, generation: found.generation, specHash: found.specHash,
      state: startId === undefined ? (note === undefined ? "created" : "stopped") : "running",
      startId, startedAt: startId === undefined ? undefined : new Date(Number(startId)).toISOString(), exitCode: undefined, outOfMemory: false,
      address: startId === undefined ? undefined : "127.0.0.1", ports: [], runDir: `${home}/run`, problems: [],
    };
  };

  const create = async (spec: InstanceSpec) => {
    refuseWhatNeedsIsolation(spec);
    const home = await homeOf(instanceId(spec.owner));
    if ((await load(home)) !== undefined) return;
    await files.mkdir(workOf(home), 0o755);
    await files.mkdir(`${home}/run`);
    const { owner, generation, specHash, env, workingDir } = spec;
    await files.write(`${home}/instance.json`, JSON.stringify({ owner, generation, specHash, env, workingDir } satisfies InstanceRecord & { workingDir: unknown }));
  };
  const start = async (id: string) => {
    const home = await homeOf(id);
    if ((await load(home)) === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
    if ((await started(home)) === undefined) await files.write(`${home}/started`, `${await bootId()} ${clock.now()}\n`);
  };
  const stop = async (id: string, graceSeconds: number, signal: AbortSignal) => {
    const home = await homeOf(id);
    await endProcesses(id, graceSeconds, signal);
    if ((await readText(`${home}/started`)) !== undefined) await files.write(`${home}/started`, "stopped\n");
    running.forget(id);
  };
  const endProcesses = async (id: string, graceSeconds: number, signal: AbortSignal) => {
    const timeoutMs = graceSeconds * 1000 + commandTimeoutMs;
    const { code, stderr } = await transport.run(["sh", "-c", endProcessesScript, "sh", id, String(graceSeconds)], { timeoutMs, signal }).catch((error: unknown) => Promise.reject(signal.aborted ? error : unreachable(error)));
    if (code !== 0) throw new ProviderError("StopFailed", `processes of ${id} cannot be ended: ${stderr.trim().slice(0, 300)}`, true);
  };

  // Files know no signal, and over a way that has gone silent they take their time: the caller need not wait for that.
  return {
    name: "host",
    features: { publishesPorts: false, sharesNodeNetwork: true, images: false, limits: false, snapshots: false, isolation: "none" },
    async probe(signal) {
      if (usable !== undefined && clock.monotonic() < usable.untilMs) return usable.probe;
      const found = await probe(transport, signal);
      usable = found.usable ? { probe: found, untilMs: clock.monotonic() + usableMs } : undefined;
      return found;
    },
    inspect: (id, signal) => untilAborted(inspect(id), signal),
    async list(cluster, signal) {
      const all = names().then((found) => {
        const ours = found.filter((name) => name.startsWith(`vendetta-${cluster}-`));
        const boot = ours.length === 0 ? Promise.resolve("") : bootId();
        return Promise.all(ours.map((id) => inspect(id, boot)));
      });
      return (await untilAborted(all, signal)).filter((each) => each !== undefined);
    },
    create: (spec, _progress, signal) => untilAborted(create(spec), signal),
    start: (id, signal) => untilAborted(start(id), signal),
    stop: (id, graceSeconds, signal) => untilAborted(stop(id, graceSeconds, signal), signal),
    async destroy(id, { volumes }, signal) {
      running.forget(id);
      const home = await untilAborted(homeOf(id), signal);
      await endProcesses(id, 0, signal);
      await untilAborted(files.remove(home), signal);
      // What people work in is kept like a volume: an instance that is made anew finds it again.
      if (volumes) await untilAborted(files.remove(workOf(home)), signal);
    },
    async exec(id, argv, { env, workingDir, user, tty, signal }) {
      const home = await untilAborted(homeOf(id), signal);
      const found = await untilAborted(load(home), signal);
      if (found === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
      if ((await untilAborted(started(home), signal)) === undefined) throw new ProviderError("NotRunning", `${id} is not started`, true);
      if (user !== undefined) throw new ProviderError("InvalidSpec", "provider host runs everything as the node's user", false);
      try {
        return await transport.exec(argv, { env: { ...found.env, ...env, [instanceMark]: id }, cwd: workingDir ?? found.workingDir ?? workOf(home), tty, signal });
      } catch (error) {
        throw whyNotRun(error);
      }
    },
    async usage(id, signal) {
      if ((await untilAborted(homeOf(id).then(started), signal)) === undefined) return undefined;
      const { stdout } = await transport.run(["sh", "-c", usageScript, "sh", id], { timeoutMs: commandTimeoutMs, signal });
      return usageFromStat(stdout);
    },
    async dial(id, port, signal): Promise<Duplex> {
      if (!running.isFresh(id) && (await untilAborted(inspect(id), signal))?.state !== "running") throw new ProviderError("NotRunning", `${id} is not started`, true);
      try {
        return await transport.dial({ host: "127.0.0.1", port }, signal);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        if (codeOf(error.cause) !== "ECONNREFUSED") throw new ProviderError("Unreachable", messageOf(error), true, { cause: error });
        throw new ProviderError("ConnectionRefused", `nothing listens on port ${port}`, true, { cause: error });
      }
    },
  };
}

/** Which instances were seen running a moment ago: a health check every few seconds need not read that again each time. */
function createSeenRunning(clock: Clock) {
  const seenMs = new Map<string, number>();
  let forgotten = 0;
  return {
    /** Begins a look. What it found counts for nothing when something was forgotten meanwhile: it may have seen it before its end. */
    look() {
      const begun = forgotten;
      return (id: string, isRunning: boolean) => {
        if (!isRunning) seenMs.delete(id);
        else if (begun === forgotten) seenMs.set(id, clock.monotonic());
      };
    },
    forget(id: string) {
      forgotten++;
      seenMs.delete(id);
    },
    isFresh: (id: string) => clock.monotonic() - (seenMs.get(id) ?? -Infinity) < seenMsMax,
  };
}

function unreachable(error: unknown): ProviderError {
  return new ProviderError("EngineUnreachable", messageOf(error), true, { cause: error });
}

function broken(id: string, path: string, problem: string): Instance {
  const [, cluster = "", uid = ""] = /^vendetta-([^-]+)-(.+)$/.exec(id) ?? [];
  return {
    id, owner: { cluster, uid, namespace: "", name: "" }, generation: 0, specHash: "", state: "broken", startId: undefined, startedAt: undefined,
    exitCode: undefined, outOfMemory: false, address: undefined, ports: [], runDir: `${path}/run`, problems: [problem],
  };
}

function refuseWhatNeedsIsolation(spec: InstanceSpec): void {
  const refuse = (message: string) => new ProviderError("InvalidSpec", `${message}; provider host runs plain processes without isolation`, false);
  const mount = spec.mounts.find((each) => each.kind !== "bind" || each.source !== each.target);
  if (mount !== undefined) throw refuse(`${mount.target} cannot be mounted`);
  if (spec.user !== undefined) throw refuse(`spec.user cannot be ${spec.user}`);
  const { cpus, memoryBytes, pidsMax } = spec.resources;
  if (cpus !== undefined || memoryBytes !== undefined || pidsMax !== undefined) throw refuse("spec.resources cannot be enforced");
}

async function probe(transport: Transport, signal: AbortSignal): Promise<ProviderProbe> {
  const result = await transport.run(["sh", "-c", probeScript], { timeoutMs: commandTimeoutMs, signal }).catch((error: unknown) => messageOf(error));
  if (typeof result === "string") return { usable: false, reason: "Unreachable", message: result };
  const { code, stdout } = result;
  if (code === 0) return { usable: true, version: stdout.trim() || "sh", message: "plain processes, no isolation" };
  return { usable: false, reason: "NotInstalled", message: `missing on ${transport.name}: ${stdout.trim()}; install coreutils and util-linux, or busybox` };
}

import { timestamp } from "../../base/clock.ts";
import { instanceId, ProviderError, type Instance, type InstanceSpec, type Provider, type ProviderName, type PublishedPort } from "../provider.ts";
import type { SimEngine, SimInstance } from "./sim-engine.ts";
import { createSimSnapshots } from "./sim-snapshots.ts";

export interface SimProviderOptions {
  /** Whose Workspaces it takes. */
  readonly name?: ProviderName;
  /** Images that can be had; default: every one. */
  readonly images?: ReadonlySet<string>;
  /** Default: it keeps snapshots, and publishes what an instance was made with and nothing else. */
  readonly parts?: readonly ("snapshots" | "publish" | "withdraw")[];
}

const noProcesses = () => Promise.reject(new ProviderError("NotSupported", "a simulated instance has no processes", false));

/** A provider over an engine in memory, for simulations. Held to the words of provider.ts by the same suite as the real ones. */
export function createSimProvider(engine: SimEngine, { name = "docker", images, parts = ["snapshots"] }: SimProviderOptions = {}): Provider {
  const ask = (signal: AbortSignal) => {
    signal.throwIfAborted();
    if (engine.down) throw new ProviderError("EngineUnreachable", "the simulated engine is down", true);
  };
  const volumesOf = (id: string) => [...engine.volumes].filter((volume) => volume.startsWith(`${id}-`));

  return {
    name,
    features: { publishesPorts: true, sharesNodeNetwork: false, images: true, limits: false, snapshots: parts.includes("snapshots"), isolation: "container" },
    probe: () => Promise.resolve(engine.down ? { usable: false, reason: "NotRunning", message: "the simulated engine is down" } : { usable: true, version: "sim" }),
    async list(cluster, signal) {
      ask(signal);
      return [...engine.instances].filter(([, { spec }]) => spec.owner.cluster === cluster).map(([id, instance]) => told(id, instance));
    },
    async inspect(id, signal) {
      ask(signal);
      const instance = engine.instances.get(id);
      return instance === undefined || instanceId(instance.spec.owner) !== id ? undefined : told(id, instance);
    },
    async create(spec, _progress, signal) {
      ask(signal);
      const id = instanceId(spec.owner);
      if (engine.instances.has(id)) return;
      for (const [i, mount] of spec.mounts.entries()) if (mount.kind === "bind") throw new ProviderError("MountSourceMissing", `spec.mounts[${i}].hostPath: there is no ${mount.source} on the node`, true);
      if (images !== undefined && !images.has(spec.image)) throw new ProviderError("ImageNotFound", `there is no image ${spec.image}`, true);
      for (const mount of spec.mounts) if (mount.kind === "volume") engine.volumes.add(`${id}-${mount.name}`);
      engine.make(id, spec);
    },
    async start(id, signal) {
      ask(signal);
      const instance = engine.instances.get(id);
      if (instance === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
      if (instance.state === "running") return;
      refuseTaken(engine, id, instance.ports);
      engine.start(id);
    },
    async stop(id, _graceSeconds, signal) {
      ask(signal);
      engine.stop(id);
    },
    async destroy(id, { volumes }, signal) {
      ask(signal);
      engine.stop(id);
      engine.remove(id);
      if (!volumes) return;
      for (const volume of volumesOf(id)) engine.volumes.delete(volume);
      engine.snapshots.delete(id);
    },
    ...(parts.includes("snapshots") ? { snapshots: createSimSnapshots(engine, ask) } : {}),
    ...(parts.includes("publish") ? { async publish(id: string, ports: readonly PublishedPort[], signal: AbortSignal) { ask(signal); publish(engine, id, ports); } } : {}),
    ...(parts.includes("withdraw") ? { async withdraw(id: string, nodePorts: readonly number[], signal: AbortSignal) { ask(signal); withdraw(engine, id, nodePorts); } } : {}),
    exec: noProcesses,
    dial: noProcesses,
    async *events(cluster, signal) {
      ask(signal);
      const changed = new Set<string>([""]);
      let wake: (() => void) | undefined;
      const stopListening = engine.onChange((id) => {
        if (!id.startsWith(`vendetta-${cluster}-`)) return;
        changed.add(id);
        wake?.();
      });
      const onAbort = () => wake?.();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        while (!signal.aborted) {
          for (const id of changed) {
            changed.delete(id);
            yield id;
          }
          if (changed.size === 0 && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        signal.removeEventListener("abort", onAbort);
        stopListening();
      }
    },
  };
}

function publish(engine: SimEngine, id: string, ports: readonly PublishedPort[]): void {
  const instance = engine.instances.get(id);
  if (instance?.state !== "running") throw new ProviderError("NotRunning", `${id} does not run`, true);
  refuseTaken(engine, id, ports);
  instance.ports = ports;
}

function refuseTaken(engine: SimEngine, id: string, ports: readonly PublishedPort[]): void {
  const taken = ports.find(({ nodePort }) => ![undefined, id].includes(portHolder(engine, nodePort)));
  if (taken !== undefined) throw new ProviderError("PortInUse", `node port ${taken.nodePort} is in use`, true);
}

/** The running instance that has a node port. */
export function portHolder(engine: SimEngine, nodePort: number): string | undefined {
  for (const [id, { state, ports }] of engine.instances) if (state === "running" && ports.some((each) => each.nodePort === nodePort)) return id;
  return undefined;
}

function told(id: string, { spec, state, startId, startedAtMs, ports }: SimInstance): Instance {
  const { owner, generation, specHash }: InstanceSpec = spec;
  return {
    id, owner, generation, specHash, state, startId, ports,
    startedAt: startId === undefined ? undefined : timestamp(startedAtMs),
    exitCode: undefined, outOfMemory: false, address: state === "running" ? "10.0.0.2" : undefined, runDir: "/run/vendetta", problems: [],
  };
}

function withdraw({ instances }: SimEngine, id: string, nodePorts: readonly number[]): void {
  const instance = instances.get(id);
  if (instance === undefined) return;
  if (instance.state === "running") throw new ProviderError("StillRunning", `${id} runs`, true);
  instance.ports = instance.ports.filter(({ nodePort }) => !nodePorts.includes(nodePort));
}

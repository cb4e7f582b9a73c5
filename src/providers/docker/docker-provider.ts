import type { Duplex } from "node:stream";
import type Docker from "dockerode";
import { sleep, type Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { TransportError, type Transport } from "../../transports/transport.ts";
import { instanceId, ProviderError, type DestroyOptions, type Instance, type InstanceOwner, type InstanceSpec, type Progress, type Provider, type ProviderProbe } from "../provider.ts";
import { containerConfig, labels, ownerLabels, volumeName } from "./container-config.ts";
import { instanceFromInspect, instanceFromList, ownerOf } from "./container-instance.ts";
import { callEngine, createDockerClient, namingMount, statusOf } from "./docker-client.ts";
import { containerConsole } from "./docker-console.ts";
import { containerEvents } from "./docker-events.ts";
import { execInContainer } from "./docker-exec.ts";
import { createDockerSnapshots, removeSnapshotImages } from "./docker-snapshots.ts";
import { pullImage, type PullParts } from "./docker-pull.ts";
import { usageFromStats } from "./docker-usage.ts";
import { withdrawPorts } from "./withdraw-ports.ts";

export interface DockerProviderParts {
  readonly transport: Transport;
  readonly clock: Clock;
  /** The engine's unix socket on the transport's machine. */
  readonly socketPath: string;
  /** Aborts when the machine is let go of: nothing is tried there any more. */
  readonly closing?: AbortSignal | undefined;
}

const removingLooksMax = 40;
const removingLookMs = 50;

/** Containers of one Docker engine. */
export function createDockerProvider({ transport, clock, socketPath, closing }: DockerProviderParts): Provider {
  const docker = createDockerClient({ transport, clock, socketPath });
  const call = <T>(signal: AbortSignal | undefined, ask: () => Promise<T>) => callEngine(socketPath, signal, ask);

  const inspect = async (id: string, signal: AbortSignal): Promise<Instance | undefined> => {
    for (let look = 0; ; look++) {
      const found = await absentAs(undefined, () => call(signal, () => docker.getContainer(id).inspect({ abortSignal: signal })));
      if (found === undefined) return undefined;
      // On its way out by somebody's hand: in a moment it is gone, which is the answer that helps.
      if (found.State.Status === "removing" && look < removingLooksMax) await sleep(clock, removingLookMs, signal);
      else return instanceFromInspect(found);
    }
  };

  return {
    name: "docker",
    features: { publishesPorts: true, sharesNodeNetwork: false, images: true, limits: true, snapshots: true, isolation: "container" },
    probe: (signal) => probe(docker, socketPath, signal),
    inspect,
    async list(cluster, signal) {
      const found = await call(signal, () => docker.listContainers({ all: true, filters: { label: [`${labels.cluster}=${cluster}`] }, abortSignal: signal }));
      return found.map(instanceFromList).filter((each) => each !== undefined);
    },
    create: (spec, progress, signal) => create({ docker, socketPath, clock }, spec, progress, signal),
    async start(id, signal) {
      const container = docker.getContainer(id);
      try {
        // 304: it runs already.
        await call(signal, () => tolerate([304], () => container.start({ abortSignal: signal })));
      } catch (error) {
        if (!/cannot start a paused container/i.test(messageOf(error))) throw error;
        await call(signal, () => container.unpause({ abortSignal: signal }));
      }
    },
    async stop(id, graceSeconds, signal) {
      await call(signal, () => tolerate([304, 404], () => docker.getContainer(id).stop({ t: graceSeconds, abortSignal: signal })));
    },
    destroy: (id, what, signal) => destroy(docker, socketPath, id, what, signal),
    exec: (id, argv, options) => execInContainer({ docker, transport, clock, socketPath, closing }, id, argv, options),
    async dial(id, port, signal): Promise<Duplex> {
      const instance = await inspect(id, signal);
      if (instance?.address === undefined) throw new ProviderError("NotRunning", `container ${id} does not run, or has no address`, true);
      try {
        return await transport.dial({ host: instance.address, port }, signal);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        const refused = codeOf(error.cause) === "ECONNREFUSED";
        throw new ProviderError(refused ? "ConnectionRefused" : "Unreachable", refused ? `nothing listens on port ${port} (or only on 127.0.0.1 inside)` : messageOf(error), true, { cause: error });
      }
    },
    // Asked of nobody, there is nothing.
    console: (id, bytesMax, signal) => absentAs("", () => call(signal, () => containerConsole(docker, id, bytesMax, signal))),
    withdraw: (id, nodePorts, signal) => withdrawPorts({ docker, socketPath }, id, nodePorts, signal),
    snapshots: createDockerSnapshots(docker, socketPath),
    async usage(id, signal) {
      // Otherwise the engine takes a second to count twice.
      const options = { stream: false as const, "one-shot": true, abortSignal: signal };
      const stats = await absentAs(undefined, () => call(signal, () => docker.getContainer(id).stats(options)));
      return stats === undefined ? undefined : usageFromStats(stats);
    },
    events: (cluster, signal) => containerEvents(docker, socketPath, cluster, signal),
  };
}

async function probe(docker: Docker, socketPath: string, signal: AbortSignal): Promise<ProviderProbe> {
  try {
    const version = await callEngine(socketPath, signal, () => docker.version());
    return { usable: true, version: version.Version };
  } catch (error) {
    const cause = (error as { cause?: { code?: unknown; cause?: unknown } }).cause;
    const code = codeOf(cause) ?? codeOf(cause?.cause);
    const reason = code === "ENOENT" ? "NotInstalled" : code === "ECONNREFUSED" ? "NotRunning" : code === "EACCES" ? "PermissionDenied" : "Unreachable";
    return { usable: false, reason, message: messageOf(error) };
  }
}

/** An instance of that owner is taken as it is (INV-3); a stranger's container of that name is left alone (INV-4). */
async function create({ docker, socketPath, clock }: PullParts, spec: InstanceSpec, progress: Progress, signal: AbortSignal): Promise<void> {
  const call = <T>(ask: () => Promise<T>) => callEngine(socketPath, signal, ask);
  const id = instanceId(spec.owner);
  for (const mount of spec.mounts) {
    if (mount.kind === "volume") await call(() => docker.createVolume({ Name: volumeName(spec, mount), Labels: ownerLabels(spec.owner), abortSignal: signal }));
  }
  const pull = () => pullImage({ docker, socketPath, clock }, spec.image, progress, signal);
  if (spec.imagePullPolicy === "Always") await pull();
  // Asking for the container first saves a look at the image each time it is there.
  const make = () => makeOrAdopt({ docker, socketPath, clock }, id, spec, signal).catch((error: unknown) => Promise.reject(namingMount(error, spec.mounts) as Error));
  try {
    await make();
  } catch (error) {
    const status = statusOf((error as Error).cause);
    if (!(status === 404 && /no such image/i.test((error as Error).message))) throw error;
    if (spec.imagePullPolicy === "Never") throw new ProviderError("ImageNotFound", `image ${spec.image} is not on the node, and imagePullPolicy Never forbids fetching it; build or load it there`, true, { cause: error });
    await pull();
    await make();
  }
}

async function makeOrAdopt({ docker, socketPath, clock }: PullParts, id: string, spec: InstanceSpec, signal: AbortSignal): Promise<void> {
  for (let look = 0; ; look++) {
    try {
      return await makeContainer(docker, socketPath, containerConfig(spec), signal);
    } catch (error) {
      if (!isNameTaken(error) || look >= removingLooksMax) throw error;
    }
    if (await adopt(docker, socketPath, id, spec, signal)) return;
    // Somebody is making it this moment, or removing it: the name is taken, and there is no container yet, or no longer.
    await sleep(clock, removingLookMs, signal);
  }
}

/** Few engines can bound what a container writes; where this one cannot, the size is a request that only scheduling counts. */
async function makeContainer(docker: Docker, socketPath: string, config: Docker.ContainerCreateOptions, signal: AbortSignal): Promise<void> {
  const ask = (asked: Docker.ContainerCreateOptions) => callEngine(socketPath, signal, () => docker.createContainer({ ...asked, abortSignal: signal }));
  try {
    await ask(config);
  } catch (error) {
    // "--storage-opt is supported only for overlay over xfs with 'pquota' mount option", and other words of other drivers.
    if (config.HostConfig?.StorageOpt === undefined || !/storage[- ]opt/i.test(messageOf(error))) throw error;
    const { StorageOpt: _, ...rest } = config.HostConfig;
    await ask({ ...config, HostConfig: rest });
  }
}

function isNameTaken(error: unknown): boolean {
  return statusOf((error as Error).cause) === 409 && /already in use by container/.test((error as Error).message);
}

/** False: there is none. @throws ProviderError NameTaken when it is a stranger's */
async function adopt(docker: Docker, socketPath: string, id: string, spec: InstanceSpec, signal: AbortSignal): Promise<boolean> {
  const found = await absentAs(undefined, () => callEngine(socketPath, signal, () => docker.getContainer(id).inspect({ abortSignal: signal })));
  if (found === undefined) return false;
  const owner = ownerOf(found.Config.Labels);
  if (owner?.cluster === spec.owner.cluster && owner.uid === spec.owner.uid) return true;
  throw new ProviderError("NameTaken", `a container named ${id} exists that is not vendetta's; it is left alone: rename or remove it`, true);
}

async function destroy(docker: Docker, socketPath: string, id: string, { volumes, owner }: DestroyOptions, signal: AbortSignal): Promise<void> {
  const call = <T>(ask: () => Promise<T>) => callEngine(socketPath, signal, ask);
  const found = await absentAs(undefined, () => call(() => docker.getContainer(id).inspect({ abortSignal: signal })));
  // INV-4: the name alone does not make it ours.
  const expected = owner === undefined ? id : instanceId(owner);
  if (found !== undefined && instanceIdOf(ownerOf(found.Config.Labels)) === expected) {
    // 409: somebody is removing it this moment, which is what was asked for.
    await call(() => tolerate([404, 409], () => docker.getContainer(found.Id).remove({ force: true, v: true, abortSignal: signal })));
  }
  await removeSnapshotImages(docker, socketPath, id, volumes ? "all" : "unnamed", signal);
  if (!volumes) return;
  const [, cluster, uid] = /^vendetta-([^-]+)-(.+)$/.exec(id) ?? [];
  if (cluster === undefined || uid === undefined) return;
  const { Volumes } = await call(() => docker.listVolumes({ filters: { label: [`${labels.cluster}=${cluster}`, `${labels.uid}=${uid}`] }, abortSignal: signal }));
  for (const volume of Volumes ?? []) await call(() => tolerate([404], () => docker.getVolume(volume.Name).remove({ abortSignal: signal })));
}

function instanceIdOf(owner: InstanceOwner | undefined): string | undefined {
  return owner === undefined ? undefined : instanceId(owner);
}

async function tolerate(statuses: readonly number[], ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    if (!statuses.includes(statusOf(error) ?? 0)) throw error;
  }
}

async function absentAs<T, A>(answer: A, ask: () => Promise<T>): Promise<T | A> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ProviderError && statusOf(error.cause) === 404) return answer;
    throw error;
  }
}


import { ProviderError } from "../provider.ts";
import { ownerOf } from "./container-instance.ts";
import { callEngine, statusOf } from "./docker-client.ts";
import { remakeContainer, stateLabels, type RemakeParts } from "./remake-container.ts";

/** A container's ports are fixed when it is made: another one is made of its state, which is kept as an image without a name until it goes, too. */
export async function withdrawPorts(parts: RemakeParts, id: string, nodePorts: readonly number[], signal: AbortSignal): Promise<void> {
  const { docker, socketPath } = parts;
  const call = <T>(ask: () => Promise<T>) => callEngine(socketPath, signal, ask);
  const found = await call(() => docker.getContainer(id).inspect({ abortSignal: signal })).catch((error: unknown) => (statusOf((error as Error).cause) === 404 ? undefined : Promise.reject(error as Error)));
  if (found === undefined || ownerOf(found.Config.Labels) === undefined) return;
  if (found.State.Running) throw new ProviderError("StillRunning", `container ${id} runs: stop it before a port is taken away from it`, true);
  const bindings = Object.entries((found.HostConfig.PortBindings ?? {}) as Readonly<Record<string, readonly { readonly HostPort?: string }[] | null>>);
  const kept = bindings.filter(([, hosts]) => !nodePorts.includes(Number(hosts?.[0]?.HostPort)));
  if (kept.length === bindings.length) return;
  const { Id } = (await call(() => docker.getContainer(found.Id).commit({ pause: true, Labels: stateLabels(id), abortSignal: signal }))) as { readonly Id: string };
  await remakeContainer(parts, id, found, { Image: Id, HostConfig: { ...found.HostConfig, PortBindings: Object.fromEntries(kept) } }, signal);
}

import type Docker from "dockerode";
import type { ContainerInspectInfo } from "dockerode";
import { labels, ofLabel } from "./container-config.ts";
import { callEngine, statusOf } from "./docker-client.ts";

export interface RemakeParts {
  readonly docker: Docker;
  readonly socketPath: string;
}

/** Of an image that a container's state is kept as. It hands its labels on to whatever is made of it: ours would make somebody else's container one of ours (INV-4). */
export function stateLabels(id: string): Readonly<Record<string, string>> {
  return { ...Object.fromEntries(Object.values(labels).map((label) => [label, ""])), [ofLabel]: id };
}

/**
 * The same container, but for its image and what the engine gives it, whole before the old one goes: cut off in between, one of the two
 * is there, and the one whose name is not that of an instance is an orphan. Its volumes without a name go over to it, as they are no
 * part of its disk.
 */
export async function remakeContainer({ docker, socketPath }: RemakeParts, id: string, old: ContainerInspectInfo, { Image, HostConfig }: Pick<Docker.ContainerCreateOptions, "Image" | "HostConfig">, signal: AbortSignal): Promise<void> {
  const call = <T>(ask: () => Promise<T>) => callEngine(socketPath, signal, ask);
  const name = `${id}-remade`;
  const config = { ...old.Config, Image, HostConfig: { ...HostConfig, VolumesFrom: [old.Id] } } as Docker.ContainerCreateOptions;
  await call(() => docker.getContainer(name).remove({ force: true, abortSignal: signal }).catch((error: unknown) => (statusOf(error) === 404 ? undefined : Promise.reject(error as Error))));
  const made = await call(() => docker.createContainer({ ...config, name, abortSignal: signal }));
  await call(() => docker.getContainer(old.Id).remove({ force: true, v: false, abortSignal: signal }));
  await call(() => made.rename({ name: id, abortSignal: signal }));
}

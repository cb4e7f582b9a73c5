import type Docker from "dockerode";
import type { ContainerInspectInfo } from "dockerode";
import { timestamp } from "../../base/clock.ts";
import { ProviderError, type Snapshot, type Snapshots } from "../provider.ts";
import { ofLabel } from "./container-config.ts";
import { ownerOf } from "./container-instance.ts";
import { callEngine, statusOf } from "./docker-client.ts";
import { remakeContainer, stateLabels } from "./remake-container.ts";

/** On images: what the state of a container is called. */
const nameLabel = "vendetta.dev/snapshot";

const repositoryOf = (id: string) => `vendetta-snapshots/${id.replace(/^vendetta-/, "")}`;

interface SnapshotImage {
  readonly Id: string;
  readonly Created: number;
  readonly RepoTags: readonly string[] | null;
  readonly Labels: Readonly<Record<string, string>> | null;
}

/** States of a container's own files, each an image. The container is frozen while one is taken: for as long as its changes take to be copied. */
export function createDockerSnapshots(docker: Docker, socketPath: string): Snapshots {
  const call = <T>(signal: AbortSignal, ask: () => Promise<T>) => callEngine(socketPath, signal, ask);
  const images = (id: string, signal: AbortSignal) => call(signal, () => imagesOf(docker, id, signal));
  const tagOf = (id: string, name: string) => `${repositoryOf(id)}:${name}`;
  const find = async (id: string, signal: AbortSignal): Promise<ContainerInspectInfo> => {
    const found = await call(signal, () => docker.getContainer(id).inspect({ abortSignal: signal }));
    if (ownerOf(found.Config.Labels) === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
    return found;
  };
  const list = async (id: string, signal: AbortSignal) =>
    (await images(id, signal)).flatMap((image): Snapshot[] => {
      const name = image.RepoTags?.find((tag) => tag.startsWith(`${repositoryOf(id)}:`))?.slice(repositoryOf(id).length + 1);
      return name === undefined ? [] : [{ name, createdAt: timestamp(image.Created * 1000) }];
    });

  return {
    async list(id, signal) {
      return (await list(id, signal)).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    },
    async take(id, name, signal) {
      const { Id } = await find(id, signal);
      if ((await list(id, signal)).some((each) => each.name === name)) return;
      await call(signal, () => docker.getContainer(Id).commit({ repo: repositoryOf(id), tag: name, pause: true, Labels: { ...stateLabels(id), [nameLabel]: name }, abortSignal: signal }));
    },
    async restore(id, name, signal) {
      const found = await find(id, signal);
      if (found.State.Running) throw new ProviderError("StillRunning", `container ${id} runs: stop it before its disk is put back`, true);
      if (!(await list(id, signal)).some((each) => each.name === name)) throw new ProviderError("SnapshotNotFound", `${id} has no snapshot ${name}`, true);
      await remakeContainer({ docker, socketPath }, id, found, { Image: tagOf(id, name), HostConfig: found.HostConfig }, signal);
    },
    async remove(id, name, signal) {
      // Still in use, the image stays without its name until nobody needs it.
      await call(signal, () => removeImage(docker, tagOf(id, name), signal));
    },
  };
}

/** Of the snapshots of a container: all, or what stayed of removed ones as it was in use. */
export async function removeSnapshotImages(docker: Docker, socketPath: string, id: string, which: "all" | "unnamed", signal: AbortSignal): Promise<void> {
  const found = await callEngine(socketPath, signal, () => imagesOf(docker, id, signal));
  const isNamed = ({ RepoTags }: SnapshotImage) => RepoTags?.some((tag) => tag.startsWith(`${repositoryOf(id)}:`)) === true;
  let left = found.filter((each) => which === "all" || !isNamed(each));
  // One may be what another is made of, and goes after it.
  for (let before = Infinity; left.length > 0 && left.length < before; ) {
    before = left.length;
    const stay: SnapshotImage[] = [];
    for (const image of left) if (!(await callEngine(socketPath, signal, () => removeImage(docker, image.Id, signal)))) stay.push(image);
    left = stay;
  }
}

async function imagesOf(docker: Docker, id: string, signal: AbortSignal): Promise<readonly SnapshotImage[]> {
  return (await docker.listImages({ filters: { label: [`${ofLabel}=${id}`] }, abortSignal: signal })) as readonly SnapshotImage[];
}

/** False: something is made of it that is still there. */
async function removeImage(docker: Docker, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    await docker.getImage(name).remove({ force: true, abortSignal: signal });
    return true;
  } catch (error) {
    const status = statusOf(error);
    if (status !== 404 && status !== 409) throw error;
    return status === 404;
  }
}

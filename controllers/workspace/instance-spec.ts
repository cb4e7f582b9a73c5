import { recreationAnnotation } from "../../src/api/annotations.ts";
import { engineSettings, fixedFields } from "../../src/api/change-effect.ts";
import { parseQuantity } from "../../src/api/quantity.ts";
import type { Workspace, WorkspacePort } from "../../src/api/workspace.ts";
import type { DiskSizes, InstanceSpec, Mount, Provider, PublishedPort } from "../../src/providers/provider.ts";
import { fingerprint } from "../fingerprint.ts";

/** The part of a spec that is fixed when the instance is made: when it changes, the instance is made anew. */
function fixedPart(workspace: Workspace, provider: Changeable) {
  const { metadata } = workspace;
  const asked = metadata.annotations?.[recreationAnnotation];
  return { name: metadata.name, ...fixedFields(workspace, { ports: provider.publish === undefined, diskSizes: provider.growDisks === undefined }), ...(asked === undefined ? {} : { asked }) };
}

/** What a provider may be able to change of an instance that is there. */
type Changeable = Pick<Provider, "publish" | "growDisks">;

/** @param provider of the Workspace: what it can change of an instance that is there is no part of what is fixed */
export function specHashOf(workspace: Workspace, provider: Changeable): string {
  return fingerprint(fixedPart(workspace, provider));
}

const bytes = (quantity: string) => Math.ceil(parseQuantity(quantity)!);
const bytesIfAny = (quantity: string | undefined) => (quantity === undefined ? undefined : bytes(quantity));

/** What its disks are to hold at least. */
export function diskSizesOf({ spec }: Workspace): DiskSizes {
  return { own: bytesIfAny(spec.resources.disk), more: Object.fromEntries((spec.qemu?.disks ?? []).map(({ name, size }) => [name, bytes(size)])) };
}

/** What the engine is asked to make. `ports` are the recorded ones; those the engine publishes are taken. */
export function instanceSpec(workspace: Workspace, cluster: string, ports: readonly WorkspacePort[], provider: Changeable): InstanceSpec {
  const { metadata, spec } = workspace;
  return {
    owner: { cluster, uid: metadata.uid, namespace: metadata.namespace!, name: metadata.name },
    generation: metadata.generation,
    specHash: specHashOf(workspace, provider),
    hostname: metadata.name,
    image: spec.image ?? "",
    imageChecksum: spec.imageChecksum,
    imagePullPolicy: spec.imagePullPolicy,
    env: spec.env,
    workingDir: spec.workingDir,
    user: spec.user,
    mounts: spec.mounts.map((mount): Mount => {
      const { path: target, readOnly } = mount;
      if (mount.hostPath !== undefined) return { kind: "bind", source: mount.hostPath, target, readOnly };
      if (mount.volume !== undefined) return { kind: "volume", name: mount.volume, target, readOnly };
      return { kind: "tmpfs", target, sizeBytes: bytesIfAny(mount.tmpfs?.size) };
    }),
    ports: enginePorts(ports),
    resources: { cpus: spec.resources.cpu === undefined ? undefined : parseQuantity(spec.resources.cpu), memoryBytes: bytesIfAny(spec.resources.memory), diskBytes: bytesIfAny(spec.resources.disk), pidsMax: spec.resources.pids },
    engine: engineBlock(spec),
  };
}

/** The engine's own block, its quantities as bytes: providers know no quantities. */
function engineBlock(spec: Workspace["spec"]): Readonly<Record<string, unknown>> {
  const { disks, ...rest } = spec.qemu ?? {};
  if (spec.provider !== "qemu" || disks === undefined) return engineSettings(spec) ?? {};
  return { ...rest, disks: disks.map(({ name, size }) => ({ name, sizeBytes: bytes(size) })) };
}

/** Those of its ports that the engine publishes, as it is told them. */
export function enginePorts(ports: readonly WorkspacePort[]): readonly PublishedPort[] {
  return ports.filter((each) => each.via === "Engine").map(({ port, nodePort }) => ({ port, nodePort, protocol: "tcp" }));
}


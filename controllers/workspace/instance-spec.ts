import { recreationAnnotation } from "../../src/api/annotations.ts";
import { engineSettings, fixedFields } from "../../src/api/change-effect.ts";
import { parseQuantity } from "../../src/api/quantity.ts";
import type { Workspace, WorkspacePort } from "../../src/api/workspace.ts";
import type { InstanceSpec, Mount, Provider, PublishedPort } from "../../src/providers/provider.ts";
import { fingerprint } from "../fingerprint.ts";

/** The part of a spec that is fixed when the instance is made: when it changes, the instance is made anew. */
function fixedPart(workspace: Workspace, portsAreFixed: boolean) {
  const { metadata } = workspace;
  const asked = metadata.annotations?.[recreationAnnotation];
  return { name: metadata.name, ...fixedFields(workspace, portsAreFixed), ...(asked === undefined ? {} : { asked }) };
}

/** @param provider of the Workspace: what it can change while an instance runs is no part of what is fixed */
export function specHashOf(workspace: Workspace, provider: Pick<Provider, "publish">): string {
  return fingerprint(fixedPart(workspace, provider.publish === undefined));
}

/** What the engine is asked to make. `ports` are the recorded ones; those the engine publishes are taken. */
export function instanceSpec(workspace: Workspace, cluster: string, ports: readonly WorkspacePort[], provider: Pick<Provider, "publish">): InstanceSpec {
  const { metadata, spec } = workspace;
  const bytes = (quantity: string | undefined) => (quantity === undefined ? undefined : Math.ceil(parseQuantity(quantity)!));
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
      return { kind: "tmpfs", target, sizeBytes: bytes(mount.tmpfs?.size) };
    }),
    ports: enginePorts(ports),
    resources: { cpus: spec.resources.cpu === undefined ? undefined : parseQuantity(spec.resources.cpu), memoryBytes: bytes(spec.resources.memory), diskBytes: bytes(spec.resources.disk), pidsMax: spec.resources.pids },
    engine: engineBlock(spec, (quantity) => bytes(quantity)!),
  };
}

/** The engine's own block, its quantities as bytes: providers know no quantities. */
function engineBlock(spec: Workspace["spec"], bytes: (quantity: string) => number): Readonly<Record<string, unknown>> {
  const { disks, ...rest } = spec.qemu ?? {};
  if (spec.provider !== "qemu" || disks === undefined) return engineSettings(spec) ?? {};
  return { ...rest, disks: disks.map(({ name, size }) => ({ name, sizeBytes: bytes(size) })) };
}

/** Those of its ports that the engine publishes, as it is told them. */
export function enginePorts(ports: readonly WorkspacePort[]): readonly PublishedPort[] {
  return ports.filter((each) => each.via === "Engine").map(({ port, nodePort }) => ({ port, nodePort, protocol: "tcp" }));
}


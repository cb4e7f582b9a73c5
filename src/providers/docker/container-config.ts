import type Docker from "dockerode";
import { instanceId, type InstanceOwner, type InstanceSpec, type Mount } from "../provider.ts";

export const labels = {
  cluster: "vendetta.dev/cluster",
  uid: "vendetta.dev/uid",
  namespace: "vendetta.dev/namespace",
  name: "vendetta.dev/name",
  generation: "vendetta.dev/generation",
  specHash: "vendetta.dev/spec-hash",
} as const;

/** On an image, and on what is made of it: the container whose state it is, by its name. */
export const ofLabel = "vendetta.dev/snapshot-of";

/** A tmpfs of its own: writable for any user and in a read-only image, and empty after a restart, when all pids are stale. */
export const runDir = "/run/vendetta";
/** Bytes; holds two runs' bounded logs of a few services. */
const runDirSize = "64m";

export function ownerLabels(owner: InstanceOwner): Record<string, string> {
  return { [labels.cluster]: owner.cluster, [labels.uid]: owner.uid, [labels.namespace]: owner.namespace, [labels.name]: owner.name };
}

export function volumeName(spec: InstanceSpec, mount: Extract<Mount, { kind: "volume" }>): string {
  return `${instanceId(spec.owner)}-${mount.name}`;
}

/** What `engine` may hold; validated where the manifest was. */
interface DockerBlock {
  readonly command?: readonly string[];
  readonly network?: string;
  readonly privileged?: boolean;
  readonly capAdd?: readonly string[];
  readonly extraHosts?: readonly string[];
}

/** Waits until it is told to end. Under an init process a plain sleep dies at once of SIGTERM, so stopping is quick. */
const keepAlive = ["sh", "-c", "exec sleep 2147483647"];

export function containerConfig(spec: InstanceSpec): Docker.ContainerCreateOptions {
  const block = spec.engine as DockerBlock;
  const tmpfs: Record<string, string> = { [runDir]: `rw,exec,nosuid,mode=1777,size=${runDirSize}` };
  for (const mount of spec.mounts) if (mount.kind === "tmpfs") tmpfs[mount.target] = mount.sizeBytes === undefined ? "rw,exec" : `rw,exec,size=${mount.sizeBytes}`;
  return {
    name: instanceId(spec.owner),
    Image: spec.image,
    Hostname: spec.hostname,
    // An entry point of the image would otherwise swallow the command.
    ...(block.command === undefined ? { Entrypoint: keepAlive.slice(0, 1), Cmd: keepAlive.slice(1) } : { Cmd: [...block.command] }),
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    Labels: { ...ownerLabels(spec.owner), [labels.generation]: String(spec.generation), [labels.specHash]: spec.specHash },
    ExposedPorts: Object.fromEntries(spec.ports.map(({ port, protocol }) => [`${port}/${protocol}`, {}])),
    HostConfig: {
      Init: true,
      // The loops restart, not the engine: they also know when not to.
      RestartPolicy: { Name: "no" },
      PortBindings: Object.fromEntries(spec.ports.map(({ port, nodePort, protocol }) => [`${port}/${protocol}`, [{ HostIp: "127.0.0.1", HostPort: String(nodePort) }]])),
      Tmpfs: tmpfs,
      Mounts: spec.mounts.flatMap((mount): Docker.MountSettings[] => {
        if (mount.kind === "tmpfs") return [];
        const source = mount.kind === "bind" ? mount.source : volumeName(spec, mount);
        return [{ Type: mount.kind, Source: source, Target: mount.target, ReadOnly: mount.readOnly }];
      }),
      ...(spec.resources.cpus === undefined ? {} : { NanoCpus: Math.round(spec.resources.cpus * 1e9) }),
      ...(spec.resources.memoryBytes === undefined ? {} : { Memory: spec.resources.memoryBytes }),
      ...(spec.resources.diskBytes === undefined ? {} : { StorageOpt: { size: String(spec.resources.diskBytes) } }),
      ...(spec.resources.pidsMax === undefined ? {} : { PidsLimit: spec.resources.pidsMax }),
      ...(block.network === undefined ? {} : { NetworkMode: block.network }),
      ...(block.privileged === undefined ? {} : { Privileged: block.privileged }),
      ...(block.capAdd === undefined ? {} : { CapAdd: [...block.capAdd] }),
      ...(block.extraHosts === undefined ? {} : { ExtraHosts: [...block.extraHosts] }),
    },
  };
}

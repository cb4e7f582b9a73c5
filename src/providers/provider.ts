import type { Duplex } from "node:stream";
import type { ExecStream } from "../transports/transport.ts";

export type ProviderName = "docker" | "lxc" | "qemu" | "host";

/** Who an instance belongs to, written on it (labels, a file) before it can exist. Anything without our cluster id is invisible to us (INV-4). */
export interface InstanceOwner {
  /** Id of this vendetta cluster: lower-case letters and digits, at most 16. */
  readonly cluster: string;
  /** uid of the Workspace. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

export type Mount =
  /** A directory or file of the node. Refused with a problem when it does not exist. */
  | { readonly kind: "bind"; readonly source: string; readonly target: string; readonly readOnly: boolean }
  /** Kept by the engine over stop and re-creation, until `destroy` is called with `volumes: true`. */
  | { readonly kind: "volume"; readonly name: string; readonly target: string; readonly readOnly: boolean }
  /** In memory, empty at each start. */
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes: number | undefined };

/** Published by the engine itself: node address:nodePort reaches the instance's port. We choose the node port; never the engine. */
export interface PublishedPort {
  readonly port: number;
  readonly nodePort: number;
  readonly protocol: "tcp" | "udp";
}

/** What to make. Everything in it is fixed for an instance's life; a different one needs a new instance. */
export interface InstanceSpec {
  readonly owner: InstanceOwner;
  /** generation of the Workspace this was made from; for people who look at labels. */
  readonly generation: number;
  /** Fingerprint of this spec by the caller, kept with the instance and told back by `list`. Published ports are not part of it. */
  readonly specHash: string;
  readonly hostname: string;
  /** Engine's own image reference. "" for `host`, and for a machine that boots a kernel directly and has no disk image. */
  readonly image: string;
  /** "sha256:" and 64 hexadecimal digits that the image's file must have; undefined: not checked. */
  readonly imageChecksum?: string | undefined;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string | undefined;
  /** "uid", "name" or "uid:gid". */
  readonly user: string | undefined;
  readonly mounts: readonly Mount[];
  readonly ports: readonly PublishedPort[];
  readonly resources: {
    /** Cores; fractions are fine. */
    readonly cpus: number | undefined;
    readonly memoryBytes: number | undefined;
    /** Of its own files, volumes not counted. Held to where the engine can; no error where it cannot. */
    readonly diskBytes?: number | undefined;
    readonly pidsMax: number | undefined;
  };
  /** The Workspace's block for this provider, already validated; `{}` when it has none. */
  readonly engine: Readonly<Record<string, unknown>>;
}

/** Bytes that an instance's disks hold. */
export interface DiskSizes {
  /** The one it was made with; undefined: it has none, or nobody says. */
  readonly own: number | undefined;
  /** Those beside it, by name. */
  readonly more: Readonly<Record<string, number>>;
}

/** An instance as the engine tells it now. Trouble is data. */
export interface Instance {
  /** The engine's name for it: `vendetta-<cluster>-<uid>`. */
  readonly id: string;
  readonly owner: InstanceOwner;
  readonly generation: number;
  readonly specHash: string;
  /** `created`: made, never started. `paused`: frozen by somebody; `start` lets it go on. `broken`: cannot be used, see problems; destroy it. */
  readonly state: "created" | "running" | "paused" | "stopped" | "broken";
  /** Differs each time the instance is started; undefined unless running or paused. */
  readonly startId: string | undefined;
  /** RFC 3339. */
  readonly startedAt: string | undefined;
  /** It runs, and nobody has been inside that start of it yet, as far as this provider knows: `start` waits until somebody can. */
  readonly awaitsEntry?: true;
  /** Of the last end, when the engine tells. */
  readonly exitCode: number | undefined;
  readonly outOfMemory: boolean;
  /** Where its ports answer from the node: an IP address; undefined unless running. */
  readonly address: string | undefined;
  readonly ports: readonly PublishedPort[];
  /** Directory inside the instance for the supervisor's files: writable by its user, emptied or stale after a restart. */
  readonly runDir: string;
  readonly problems: readonly string[];
  /** Absent: its engine cannot make them larger. */
  readonly disks?: DiskSizes;
  /** What its user should know though nothing is wrong ("root inside is root of the node: …"), for the status; absent: nothing. */
  readonly remarks?: readonly string[];
}

export interface ProviderFeatures {
  /** Published ports are the engine's work. False: nodePorts are reached by dialing. */
  readonly publishesPorts: boolean;
  /** Instances share the node's network: a port used inside is used on the node. */
  readonly sharesNodeNetwork: boolean;
  readonly images: boolean;
  /** cpu, memory and pids limits are enforced. */
  readonly limits: boolean;
  /** `snapshots` is there. False: refuse with a reason. */
  readonly snapshots: boolean;
  readonly isolation: "none" | "container" | "vm";
}

/** Whether the engine can be used on that node now. */
export type ProviderProbe =
  | { readonly usable: true; readonly version: string; readonly message?: string }
  /** reason: CamelCase (NotInstalled, NotRunning, PermissionDenied, TooOld, Unreachable). message: what is missing, where, and what to do. */
  | { readonly usable: false; readonly reason: string; readonly message: string };

/** An engine said no. `reason` is CamelCase for a condition; `retriable` false means: not until the manifest changes. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  readonly reason: string;
  readonly retriable: boolean;
  constructor(reason: string, message: string, retriable: boolean, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.retriable = retriable;
  }
}

/** What an instance has used, as its engine counts. */
export interface InstanceUsage {
  /** Seconds of one core, since some beginning; goes back when the instance is started anew. */
  readonly cpuSeconds: number;
  /** Bytes in use now, without what the kernel only caches. */
  readonly memoryBytes: number;
}

export interface InstanceExecOptions {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly workingDir?: string | undefined;
  /** Default: the instance's user. */
  readonly user?: string | undefined;
  readonly tty?: { readonly columns: number; readonly rows: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface DestroyOptions {
  /** Also remove what was kept for its owner. */
  readonly volumes: boolean;
  /** Whose it is, when its id is not the one that this owner's instance should have: somebody renamed it. */
  readonly owner?: InstanceOwner;
}

/** A kept state of an instance's disks. */
export interface Snapshot {
  /** By whoever took it; unique in the instance. Lower-case letters, digits and '-'. */
  readonly name: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** States of an instance's own disk. Volumes and bind mounts are not part of them. They go when the instance's volumes do. */
export interface Snapshots {
  list(id: string, signal: AbortSignal): Promise<readonly Snapshot[]>;
  /** As the disk is now, running or not. No-op when there is one of that name. @throws NotFound, SnapshotFailed */
  take(id: string, name: string, signal: AbortSignal): Promise<void>;
  /** Puts the disk back; all else of the instance, its ports too, is as before. It must not run. @throws NotFound, StillRunning, SnapshotNotFound */
  restore(id: string, name: string, signal: AbortSignal): Promise<void>;
  /** No-op when absent. */
  remove(id: string, name: string, signal: AbortSignal): Promise<void>;
}

/** Told while `create` works; `message` is for people ("pulling node:20: 34 of 78 MiB"). A milestone is worth an event, and is told once. */
export type Progress = (message: string, milestone?: "Pulling" | "Pulled") => void;

/**
 * One engine on one node. Speaks of instances and has never heard of a Workspace.
 *
 * Every verb is idempotent, may be called concurrently for different ids, and looks at the engine itself. It remembers
 * nothing between calls, but for what is asked over and over: `dial` may know for seconds that an instance runs, `probe` for a
 * minute that the engine is usable where nothing turns it on and off. Errors are ProviderError with a reason; an unreachable
 * engine is `EngineUnreachable`. Each call ends when its signal aborts (with the signal's reason); the effect is then unknown:
 * inspect.
 */
export interface Provider {
  readonly name: ProviderName;
  readonly features: ProviderFeatures;
  /** Never throws for trouble of the engine: that is the answer. */
  probe(signal: AbortSignal): Promise<ProviderProbe>;
  /** All instances of `cluster`, running or not, half-made ones included. @throws when the listing failed: unknown is not absent (INV-5). */
  list(cluster: string, signal: AbortSignal): Promise<readonly Instance[]>;
  inspect(id: string, signal: AbortSignal): Promise<Instance | undefined>;
  /** Makes it and what it needs (image, volumes), and does not start it. When one of that owner exists: no-op, whatever its spec. @throws ImagePullFailed, ImageNotFound, InvalidSpec, MountSourceMissing … */
  create(spec: InstanceSpec, progress: Progress, signal: AbortSignal): Promise<void>;
  /** No-op when running. @throws NotFound, PortInUse (message names the port) … */
  start(id: string, signal: AbortSignal): Promise<void>;
  /** Asks, waits `graceSeconds`, then forces. No-op when not running or absent. Disk and volumes stay. */
  stop(id: string, graceSeconds: number, signal: AbortSignal): Promise<void>;
  /** Stops by force and removes everything of it; volumes too when asked. No-op when absent. */
  destroy(id: string, options: DestroyOptions, signal: AbortSignal): Promise<void>;
  /**
   * Runs a command inside. @throws NotRunning, NotFound; CommandNotFound, CommandNotExecutable, DirectoryNotFound when it cannot be
   * started. An engine that learns of these three only later has `exit` reject with them, and nothing is on the command's streams.
   */
  exec(id: string, argv: readonly string[], options: InstanceExecOptions): Promise<ExecStream>;
  /** A connection to a TCP port inside. @throws ProviderError reason ConnectionRefused, Timeout, NotRunning */
  dial(id: string, port: number, signal: AbortSignal): Promise<Duplex>;
  /**
   * Makes the engine publish exactly these of a running instance, and no others; there when the engine can change it without
   * making the instance anew. @throws NotRunning, PortInUse (message names the port)
   */
  publish?(id: string, ports: readonly PublishedPort[], signal: AbortSignal): Promise<void>;
  /**
   * Has its disks hold at least so much, running or not. Nothing on them changes: partitions and file systems are the guest's to grow. No-op
   * for one that holds as much, or that it does not have. There when the engine can. @throws NotFound, GrowFailed
   */
  growDisks?(id: string, sizes: DiskSizes, signal: AbortSignal): Promise<void>;
  /**
   * Takes published ports away from an instance that does not run, by their node ports: it is started without them from then on. Its disk and
   * its volumes stay. No-op for those that it does not publish, and when it is absent. There when the engine publishes ports. @throws StillRunning
   */
  withdraw?(id: string, nodePorts: readonly number[], signal: AbortSignal): Promise<void>;
  /** The last `bytesMax` bytes that its console showed, also of a machine that has ended; "" when there are none. */
  console?(id: string, bytesMax: number, signal: AbortSignal): Promise<string>;
  readonly snapshots?: Snapshots;
  /** undefined: it does not run. Takes the engine some work: ask only when somebody wants to know. */
  usage?(id: string, signal: AbortSignal): Promise<InstanceUsage | undefined>;
  /**
   * Hints that an instance of `cluster` may have changed (its id), until the signal aborts; "" means: look at all. Ends
   * or throws when the stream breaks; the caller starts it again. Listing is the truth.
   */
  events?(cluster: string, signal: AbortSignal): AsyncIterable<string>;
}

/** INV-3: names are deterministic. */
export function instanceId(owner: Pick<InstanceOwner, "cluster" | "uid">): string {
  return `vendetta-${owner.cluster}-${owner.uid}`;
}

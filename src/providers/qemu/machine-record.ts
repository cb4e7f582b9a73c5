import { z } from "zod";
import type { DiskSizes, Instance, InstanceSpec } from "../provider.ts";

/** What a machine is when `spec.resources` does not say. */
export const cpusDefault = 1;
export const memoryBytesDefault = 1024 ** 3;
/** Of a volume, and of a first disk whose image is smaller. Sparse: only what was written takes room. */
export const diskBytesDefault = 10 * 1024 ** 3;

/** Inside a machine, for the supervisor's files. */
export const guestRunDir = "/run/vendetta";

const engine = z.object({
  machine: z.enum(["q35", "microvm"]).default("q35"),
  accelerator: z.enum(["kvm", "tcg"]).optional(),
  kernel: z.string().optional(),
  initrd: z.string().optional(),
  append: z.string().optional(),
  packages: z.array(z.string()).default([]),
  firstBootCommands: z.array(z.string()).default([]),
  disks: z.array(z.object({ name: z.string(), sizeBytes: z.number() })).default([]),
});

const mount = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("bind"), source: z.string(), target: z.string(), readOnly: z.boolean() }),
  z.object({ kind: z.literal("volume"), name: z.string(), target: z.string(), readOnly: z.boolean() }),
  z.object({ kind: z.literal("tmpfs"), target: z.string(), sizeBytes: z.number().optional() }),
]);

export const publishedPorts = z.array(z.object({ port: z.number(), nodePort: z.number(), protocol: z.enum(["tcp", "udp"]) }));

/** What `instance.json` holds: written last, so that a directory without it is a half-made instance. */
export const machineRecord = z.object({
  owner: z.object({ cluster: z.string(), uid: z.string(), namespace: z.string(), name: z.string() }),
  generation: z.number(),
  specHash: z.string(),
  hostname: z.string(),
  env: z.record(z.string(), z.string()),
  workingDir: z.string().optional(),
  user: z.string().optional(),
  mounts: z.array(mount),
  ports: publishedPorts,
  resources: z.object({ cpus: z.number().optional(), memoryBytes: z.number().optional(), pidsMax: z.number().optional(), diskBytes: z.number().optional() }),
  engine,
  /** Whether it has a disk of its own, made over an image. */
  hasDisk: z.boolean(),
  /** Public key line that it was given to show. */
  hostKey: z.string(),
});
export type MachineRecord = z.infer<typeof machineRecord>;
export type MachineEngine = MachineRecord["engine"];

/** What a spec says, with the defaults in it. */
export function recordOf(spec: InstanceSpec, hostKey: string): MachineRecord {
  return machineRecord.parse({ ...spec, hostKey, hasDisk: spec.image !== "" });
}

/** One machine as its node tells it, by one look. */
export interface MachineSeen {
  readonly id: string;
  /** undefined: its creation was cut off; a text: why the record cannot be read. */
  readonly record: MachineRecord | string | undefined;
  /** Its last start; undefined: it was never started. */
  readonly run: MachineRun | undefined;
  /** Ports that its last start published. */
  readonly ports: MachineRecord["ports"];
  /** Public key line that was learned at its first boot. */
  readonly learnedHostKey: string | undefined;
  /** As the files of its disks say. */
  readonly disks: DiskSizes;
}

export interface MachineRun {
  readonly pid: number;
  /** In the kernel's ticks since boot: with pid and boot id it names a process for good. */
  readonly startTime: string;
  readonly bootId: string;
  readonly startedAtSeconds: number;
  /** Of 127.0.0.1 on the node: leads to the machine's sshd. */
  readonly sshPort: number;
  readonly alive: boolean;
  /** Of the process, 128+n for signal n; undefined while it lives, and when nobody saw its end. */
  readonly exitCode: number | undefined;
}

export const startIdOf = ({ pid, startTime, bootId }: MachineRun) => `${bootId.slice(0, 8)}-${pid}-${startTime}`;

/** The instance that was seen. `paused` is QEMU's own word, asked for apart. */
export function instanceOf(seen: MachineSeen, paused: boolean): Instance {
  const { id, record, run } = seen;
  if (record === undefined) return brokenMachine(id, "its creation was cut off");
  if (typeof record === "string") return brokenMachine(id, `its record cannot be read: ${record}`);
  const alive = run?.alive === true;
  return {
    id, owner: record.owner, generation: record.generation, specHash: record.specHash,
    state: alive ? (paused ? "paused" : "running") : run === undefined ? "created" : "stopped",
    startId: alive ? startIdOf(run) : undefined,
    startedAt: alive ? new Date(run.startedAtSeconds * 1000).toISOString() : undefined,
    exitCode: alive ? undefined : run?.exitCode, outOfMemory: false, address: alive ? "127.0.0.1" : undefined,
    ports: seen.ports, runDir: guestRunDir, problems: [], disks: seen.disks,
  };
}

function brokenMachine(id: string, problem: string): Instance {
  const [, cluster = "", uid = ""] = /^vendetta-([^-]+)-(.+)$/.exec(id) ?? [];
  return {
    id, owner: { cluster, uid, namespace: "", name: "" }, generation: 0, specHash: "", state: "broken", startId: undefined, startedAt: undefined,
    exitCode: undefined, outOfMemory: false, address: undefined, ports: [], runDir: guestRunDir, problems: [problem],
  };
}

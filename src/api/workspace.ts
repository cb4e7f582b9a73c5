import { z } from "zod";
import { absolutePath } from "./absolute-path.ts";
import { conditions } from "./conditions.ts";
import { dnsLabel, dnsSubdomain, labels, type ObjectMeta } from "./meta.ts";
import { quantity } from "./quantity.ts";
import type { KindDefinition } from "./kind.ts";
import { mergedByKeys, ownedWhole } from "./list-type.ts";
import type { StatusCause } from "./status-error.ts";
import { docker, engineCauses, lxc, qemu, shrinkCauses } from "./workspace-engines.ts";

/** Environment of a Workspace or a Service. Values are plain: put no secret in a manifest. */
export const environment = z
  .record(
    z.string().max(253).regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be a name of letters, digits and '_', not starting with a digit"),
    z.string().max(128 * 1024).refine((value) => !value.includes("\0"), "must not contain a NUL byte"),
  )
  .default({})
  .describe("Environment variables, by name. Plain text: put no secret here.");

export const port = z.number().int().min(1, "must be between 1 and 65535").max(65535, "must be between 1 and 65535");

const mount = z.strictObject({
  path: absolutePath.describe("Absolute path where it appears inside the workspace."),
  hostPath: absolutePath.optional().describe("A directory or file of the node. It must exist. 'vendetta apply' takes a path that is relative to the manifest's directory, and then keeps the Workspace on this machine unless nodeName or nodeSelector says otherwise."),
  volume: dnsLabel.optional().describe("Name of a volume that is kept while the Workspace exists, over stops and re-creations."),
  tmpfs: z.strictObject({ size: quantity.optional().describe("Most bytes it can hold, as a quantity such as 64Mi.") }).optional().describe("Memory that is empty at each start."),
  readOnly: z.boolean().default(false).describe("Whether writing to it is refused."),
});

const toleration = z.strictObject({
  key: z.string().max(317).optional().describe("The taint's key; absent with operator Exists: every taint."),
  operator: z.enum(["Equal", "Exists"]).default("Equal").describe("Equal: key and value are the taint's. Exists: the key is, whatever its value."),
  value: z.string().max(63).default("").describe("The taint's value, for operator Equal."),
  effect: z.enum(["NoSchedule", "NoExecute"]).optional().describe("The taint's effect. Absent: both."),
});

const snapshotName = dnsLabel.describe("Name of a snapshot.");

const spec = z.strictObject({
  provider: z.enum(["docker", "lxc", "qemu", "host"]).describe("Engine: docker (container), lxc (system container), qemu (virtual machine), host (plain processes, no isolation)."),
  nodeName: dnsSubdomain.optional().describe("Name of the Node to run on. Absent: a Ready Node with room is chosen."),
  nodeSelector: ownedWhole(labels).optional().describe("Labels a Node must have for this Workspace to be placed on it."),
  failover: z
    .strictObject({
      afterSeconds: z.number().int().min(1).max(7 * 24 * 3600).default(300).describe("Seconds for which its Node must have been Unknown, or not Ready without the instance being seen to run."),
    })
    .optional()
    .describe("Makes it anew on another Node when its own does not come back: what is only on the disk and in the volumes there is not taken along. What is left there is removed, its volumes excepted, once the Node answers again. Absent: it stays. Not together with nodeName."),
  tolerations: z.array(toleration).max(50).default([]).describe("Taints that do not keep this Workspace away."),
  state: z.enum(["Running", "Stopped"]).default("Running").describe("Running, or Stopped: everything inside is stopped and the disk is kept."),
  image: z.string().min(1).max(2048).optional().describe("What the instance is made from. docker: an image reference. lxc: a template such as debian:bookworm, or a root file system. qemu: a disk image. Those two may be an absolute path on the node or a URL."),
  imageChecksum: z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hexadecimal digits, as 'sha256sum' prints them").optional().describe("Checksum that the file named by image must have, for lxc and qemu: sha256: and 64 hexadecimal digits."),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).default("IfNotPresent").describe("When the image is fetched: Always (before each creation), IfNotPresent (when the node lacks it), Never."),
  env: environment,
  workingDir: absolutePath.optional().describe("Directory that commands start in."),
  user: z.string().max(64).regex(/^[A-Za-z0-9_][-A-Za-z0-9_.]*(:[A-Za-z0-9_][-A-Za-z0-9_.]*)?$/, "must be a user, or user:group").optional().describe("User that commands run as. Default: the image's."),
  mounts: mergedByKeys(z.array(mount).max(100), "path").default([]).describe("Directories of the node, kept volumes and memory to see inside."),
  ports: mergedByKeys(z.array(z.strictObject({ port: port.describe("TCP port inside the workspace."), nodePort: port.optional().describe("TCP port on the node. Absent: one is chosen and kept.") })).max(100), "port").default([]).describe("Ports to publish whether or not a Service uses them."),
  resources: z
    .strictObject({
      cpu: quantity.optional().describe("Most processor cores used at once, as a quantity: 2, 0.5, 250m."),
      memory: quantity.optional().describe("Most bytes of memory, as a quantity: 512Mi, 2Gi."),
      disk: quantity.optional().describe("Bytes of disk, as a quantity: 20Gi. Counted when a Node is chosen; provider docker also bounds the container's own files where its engine can (overlay2 on xfs with pquota, btrfs, zfs). With provider qemu it is the size of the first disk (10Gi, or the image's own when that is larger, when absent), which can grow while the machine runs, and not shrink."),
      pids: z.number().int().min(1).optional().describe("Most processes and threads at once."),
    })
    .default({})
    .describe("What it asks of the node, and may use at most. Absent: none."),
  terminationGracePeriodSeconds: z.number().int().min(0).max(3600).default(10).describe("Seconds between asking the instance to stop and forcing it, after its services have stopped."),
  snapshots: mergedByKeys(z.array(z.strictObject({ name: snapshotName.describe("Name of the snapshot: lower-case letters, digits and '-'.") })).max(50), "name").default([]).describe("States of the instance's own disk to keep, where the engine can: each is taken once, when its name first appears here, and removed when the name goes. Mounts and volumes are not part of them. They go with the Workspace."),
  restore: z
    .strictObject({
      snapshot: snapshotName.describe("Name of the snapshot, out of snapshots."),
      request: z.number().int().min(1).max(1_000_000_000).default(1).describe("Another number has the disk put back once more."),
    })
    .optional()
    .describe("Puts the disk back to a snapshot, once: everything inside is stopped and started again, and what was written since is lost. status.restored tells that it was done."),
  docker: docker.optional().describe("What is special to provider docker."),
  lxc: lxc.optional().describe("What is special to provider lxc."),
  qemu: qemu.optional().describe("What is special to provider qemu."),
});

const workspacePort = z.strictObject({
  port: port.describe("TCP port inside the workspace."),
  nodePort: port.describe("TCP port on the server's machine, whichever Node the workspace is on."),
  via: z.enum(["Engine", "Forward", "Shared"]).describe("Engine: published by the engine. Forward: carried by the vendetta server, as all are that are on another machine. Shared: the workspace uses this machine's network."),
});

const leftBehind = z.strictObject({
  nodeName: z.string().describe("The Node that has it."),
  instanceId: z.string().describe("The engine's name of the instance."),
  since: z.string().describe("When the Workspace was placed on another Node, RFC 3339."),
});

const snapshot = z.strictObject({
  name: snapshotName,
  createdTime: z.string().optional().describe("When it was taken, RFC 3339. Absent: it has not been."),
  lastTryTime: z.string().optional().describe("When taking it last failed, RFC 3339."),
  message: z.string().optional().describe("Why it is not there."),
});

const restored = z.strictObject({
  snapshot: snapshotName,
  request: z.number().int().describe("The spec.restore.request that this was."),
  time: z.string().describe("When it was done, RFC 3339."),
});

const lastEnd = z.strictObject({
  message: z.string().describe("How it ended, and what it said last, as far as its engine tells."),
  time: z.string().describe("When that was noticed, RFC 3339."),
  inARow: z.number().int().describe("Ends in a row; sets the back-off. Zero again after a minute of running."),
});

const status = z.strictObject({
  observedGeneration: z.number().int().optional().describe("The metadata.generation that was last acted on: smaller than the current one, this status is of an older spec."),
  phase: z.enum(["Pending", "Creating", "Starting", "Running", "Stopping", "Stopped", "Recreating", "Restoring", "Moving", "Deleting", "CrashLoopBackOff", "Failed", "Unknown"]).optional().describe("One word for people; programs read the conditions."),
  conditions: conditions.optional(),
  nodeName: z.string().optional().describe("The Node it was placed on. It stays there, unless spec.failover or a drain of the Node moves it."),
  instanceId: z.string().optional().describe("The engine's name of the instance."),
  leftBehind: mergedByKeys(z.array(leftBehind), "nodeName").optional().describe("Instances on Nodes that did not answer when it was made anew elsewhere. Each is removed when its Node answers, or forgotten with the Node."),
  startId: z.string().optional().describe("Id of this start: differs each time the instance is started."),
  startedAt: z.string().optional().describe("When the instance was started, RFC 3339."),
  restarts: z.number().int().optional().describe("Times the instance was brought back after it had ended or vanished unasked."),
  lastEnd: lastEnd.optional().describe("The last time that the instance ended though nobody stopped it. Absent again when it is stopped or made anew."),
  failures: z.number().int().optional().describe("Failures in a row of the step at hand; sets the back-off."),
  nextRetryTime: z.string().optional().describe("When the failed step, or an instance that ended, is tried again, RFC 3339. Absent while the phase is Failed: only a change of the spec can help."),
  address: z.string().optional().describe("Address of the instance, as seen from its node."),
  ports: mergedByKeys(z.array(workspacePort), "port").optional().describe("Where its ports answer on the server's machine."),
  remarks: z.array(z.string()).optional().describe("What its user should know of the instance though nothing is wrong, as its engine tells."),
  snapshots: mergedByKeys(z.array(snapshot), "name").optional().describe("The snapshots of spec.snapshots, as they are."),
  restored: restored.optional().describe("The last spec.restore that was carried out."),
});

export type WorkspaceSpec = Readonly<z.infer<typeof spec>>;
export type WorkspaceStatus = Readonly<z.infer<typeof status>>;
export type WorkspacePort = Readonly<z.infer<typeof workspacePort>>;
export type SnapshotStatus = Readonly<z.infer<typeof snapshot>>;
export type LeftBehind = Readonly<z.infer<typeof leftBehind>>;
export type Toleration = Readonly<z.infer<typeof toleration>>;

/** One instance of one provider. */
export interface Workspace {
  readonly apiVersion: "vendetta.dev/v1alpha1";
  readonly kind: "Workspace";
  readonly metadata: ObjectMeta;
  readonly spec: WorkspaceSpec;
  readonly status?: WorkspaceStatus;
}

export const workspaceKind: KindDefinition<Workspace> = {
  group: "vendetta.dev",
  version: "v1alpha1",
  kind: "Workspace",
  plural: "workspaces",
  singular: "workspace",
  shortNames: ["ws"],
  categories: ["all", "vendetta"],
  scope: "Namespaced",
  description: "A place to work in: one container, virtual machine or set of processes on one Node.",
  nameSchema: dnsLabel,
  specSchema: spec,
  statusSchema: status,
  printerColumns: [
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "Status", type: "string", jsonPath: ".status.phase" },
    { name: "Provider", type: "string", jsonPath: ".spec.provider" },
    { name: "Node", type: "string", jsonPath: ".status.nodeName" },
    { name: "Restarts", type: "integer", jsonPath: ".status.restarts" },
    { name: "Image", type: "string", jsonPath: ".spec.image", priority: 1 },
    { name: "Address", type: "string", jsonPath: ".status.address", priority: 1 },
    { name: "Instance", type: "string", jsonPath: ".status.instanceId", priority: 1 },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    { name: "Message", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].message', priority: 1 },
  ],
  selectableFields: ["spec.provider", "spec.nodeName", "status.nodeName", "status.phase"],
  validate: validateWorkspace,
};

function validateWorkspace({ spec }: Workspace, old: Workspace | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = [...engineCauses(spec), ...(old === undefined ? [] : shrinkCauses(spec, old.spec))];
  const refuse = (field: string, message: string, reason = "FieldValueInvalid") => causes.push({ field, message, reason });
  if (old !== undefined && old.spec.provider !== spec.provider) refuse("spec.provider", `cannot be changed (from ${old.spec.provider} to ${spec.provider}): delete the Workspace and apply it again`, "FieldValueForbidden");
  if (spec.failover !== undefined && spec.nodeName !== undefined) refuse("spec.failover", `cannot be together with spec.nodeName: this Workspace is to be on Node "${spec.nodeName}" and nowhere else; leave one of the two out, or say with nodeSelector where it may be`, "FieldValueForbidden");
  spec.mounts.forEach((mount, i) => {
    const given = [mount.hostPath, mount.volume, mount.tmpfs].filter((each) => each !== undefined).length;
    if (given !== 1) refuse(`spec.mounts[${i}]`, "must name exactly one of hostPath, volume and tmpfs");
    if (spec.mounts.findIndex((other) => other.path === mount.path) < i) refuse(`spec.mounts[${i}].path`, `is mounted twice: ${mount.path}`, "FieldValueDuplicate");
  });
  spec.ports.forEach(({ port, nodePort }, i) => {
    if (spec.ports.findIndex((other) => other.port === port) < i) refuse(`spec.ports[${i}].port`, `is named twice: ${port}`, "FieldValueDuplicate");
    if (nodePort !== undefined && spec.ports.findIndex((other) => other.nodePort === nodePort) < i) refuse(`spec.ports[${i}].nodePort`, `is named twice: ${nodePort}`, "FieldValueDuplicate");
  });
  spec.snapshots.forEach(({ name }, i) => {
    if (spec.snapshots.findIndex((other) => other.name === name) < i) refuse(`spec.snapshots[${i}].name`, `is named twice: ${name}`, "FieldValueDuplicate");
  });
  if (spec.restore !== undefined && !spec.snapshots.some(({ name }) => name === spec.restore!.snapshot)) refuse("spec.restore.snapshot", `names no snapshot of spec.snapshots: ${spec.restore.snapshot}`);
  return causes;
}

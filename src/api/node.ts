import { z } from "zod";
import { conditions } from "./conditions.ts";
import { dnsSubdomain, type ObjectMeta } from "./meta.ts";
import type { KindDefinition } from "./kind.ts";
import { mergedByKeys } from "./list-type.ts";
import { localLabelCauses } from "./local-node-label.ts";
import { reachCauses, sshReach } from "./ssh-reach.ts";
import type { StatusCause } from "./status-error.ts";

const taint = z.strictObject({
  key: z.string().min(1).max(317).describe("Name of what keeps Workspaces away, such as example.com/gpu."),
  value: z.string().max(63).default("").describe("Compared with a toleration's value."),
  effect: z.enum(["NoSchedule", "NoExecute"]).describe("NoSchedule: nothing new comes here. NoExecute: what runs here without a toleration goes as well: it is moved when it has spec.failover, and else stopped as long as the taint is here."),
});

const spec = z.strictObject({
  local: z.strictObject({}).optional().describe("This machine: the one the server runs on."),
  ssh: sshReach.optional().describe("Another machine, reached over SSH with nothing installed on it. Exactly one of local and ssh."),
  unschedulable: z.boolean().default(false).describe("No new Workspace is placed here (cordoned). What runs stays."),
  drain: z
    .strictObject({
      move: z.enum(["WhereAllowed", "Any"]).default("WhereAllowed").describe("WhereAllowed: Workspaces with spec.failover are moved to other Nodes. Any: all are that do not name this Node. Those that are not moved, or fit nowhere else, are stopped."),
    })
    .optional()
    .describe("Nothing runs here as long as this is set (vendetta node drain, uncordon). What was stopped starts again by itself when it goes."),
  taints: z.array(taint).max(50).default([]).describe("What keeps Workspaces without a matching toleration away."),
  providers: z
    .strictObject({
      docker: z.strictObject({ socketPath: z.string().startsWith("/", "must be an absolute path").max(104).default("/var/run/docker.sock").describe("Unix socket of the Docker engine on the node.") }).optional().describe("The Docker engine to use."),
    })
    .default({})
    .describe("Where the node's engines are, when they are not in their usual places."),
  nodePorts: z
    .strictObject({
      from: z.number().int().min(1024).max(65535).default(20000).describe("First port of the range, inclusive."),
      to: z.number().int().min(1024).max(65535).default(24999).describe("Last port of the range, inclusive."),
    })
    .prefault({})
    .describe("Ports of the server's machine that vendetta may give to services of this node."),
});

const resources = z.strictObject({
  cpu: z.string().optional().describe("Processor cores, as a quantity: 8, or 500m for half of one."),
  memory: z.string().optional().describe("Bytes of memory, as a quantity such as 16Gi."),
  disk: z.string().optional().describe("Bytes of the file system of /var/lib/docker where there is one, else of the home directory, as a quantity such as 200Gi."),
});

const providerStatus = z.strictObject({
  name: z.enum(["docker", "lxc", "qemu", "host"]).describe("The engine."),
  usable: z.boolean().describe("Whether a Workspace of this provider can run here now."),
  version: z.string().optional().describe("Version of the engine, as it tells it."),
  reason: z.string().optional().describe("Why it is not usable, as one CamelCase word."),
  message: z.string().optional().describe("Why it is not usable and what to do, or a remark."),
  features: z
    .strictObject({
      isolation: z.enum(["none", "container", "vm"]).describe("How its instances are kept apart from the node."),
      limits: z.boolean().describe("Whether cpu, memory and pids are held to what a Workspace asks for."),
      snapshots: z.boolean().describe("Whether snapshots of an instance's disk can be kept."),
      console: z.boolean().describe("Whether 'vendetta logs --console' shows something."),
      publish: z.enum(["Never", "AtCreation", "Always"]).describe("When the engine itself publishes ports of an instance; the others are carried by the server."),
    })
    .optional()
    .describe("What it can do."),
});

const orphan = z.strictObject({
  provider: z.enum(["docker", "lxc", "qemu", "host"]).describe("The engine that has it."),
  instanceId: z.string().describe("The engine's name of the instance."),
  workspace: z.string().describe("Namespace and name of the Workspace it was made for."),
  firstSeenTime: z.string().describe("When it was first found, RFC 3339. Half a minute later it is removed; its volumes are kept."),
});

const status = z.strictObject({
  observedGeneration: z.number().int().optional().describe("The metadata.generation that was last acted on: smaller than the current one, this status is of an older spec."),
  conditions: conditions.optional(),
  providers: mergedByKeys(z.array(providerStatus), "name").optional().describe("The engines of the node, as last probed."),
  capacity: resources.optional().describe("What the machine has, as last probed."),
  free: z.strictObject({ disk: z.string().optional().describe("Free bytes of the file system that capacity.disk is of, as a quantity.") }).optional().describe("What nobody uses now, as last probed."),
  nodeInfo: z
    .strictObject({
      operatingSystem: z.string().optional().describe("Operating system, such as linux."),
      kernelVersion: z.string().optional().describe("Release of its kernel, as uname -r prints it."),
      architecture: z.string().optional().describe("Processor's architecture, as uname -m prints it."),
      hostname: z.string().optional().describe("Name the machine has for itself."),
      bootId: z.string().optional().describe("Kernel's id of this boot: differs after each boot of the machine."),
    })
    .optional()
    .describe("What the machine is, as last probed."),
  address: z.string().optional().describe("How the node is reached: local, or user@host with the port when it is not 22."),
  ssh: z
    .strictObject({
      latencyMs: z.number().int().optional().describe("Milliseconds that the last question whether the machine still answers took, renewed with the heartbeat."),
      connectedSince: z.string().optional().describe("When the connection in use was made, RFC 3339; absent while there is none."),
      reconnects: z.number().int().optional().describe("Times a connection was made anew since the server was started."),
      lastError: z.string().optional().describe("Why there is no connection, or why the last one ended."),
    })
    .optional()
    .describe("The SSH connection to the node."),
  clockSkewSeconds: z.number().int().optional().describe("Seconds by which the node's clock is ahead of the server's; less than a second is none."),
  workspaces: z.number().int().optional().describe("Number of Workspaces placed here."),
  orphans: z.array(orphan).optional().describe("Instances of this cluster that no Workspace owns, at most 100."),
  lastHeartbeatTime: z.string().optional().describe("When the node last answered, RFC 3339; renewed once a minute while nothing changes."),
});

export type NodeSpec = Readonly<z.infer<typeof spec>>;
export type NodeStatus = Readonly<z.infer<typeof status>>;
export type Taint = Readonly<z.infer<typeof taint>>;

/** A machine that Workspaces run on. */
export interface Node {
  readonly apiVersion: "vendetta.dev/v1alpha1";
  readonly kind: "Node";
  readonly metadata: ObjectMeta;
  readonly spec: NodeSpec;
  readonly status?: NodeStatus;
}

export const nodeKind: KindDefinition<Node> = {
  group: "vendetta.dev",
  version: "v1alpha1",
  kind: "Node",
  plural: "nodes",
  singular: "node",
  shortNames: ["no"],
  categories: ["vendetta"],
  scope: "Cluster",
  description: "A machine that Workspaces run on: this one, or any that can be reached.",
  nameSchema: dnsSubdomain,
  specSchema: spec,
  statusSchema: status,
  printerColumns: [
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "Reason", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
    { name: "Providers", type: "string", jsonPath: ".status.providers[?(@.usable==true)].name" },
    { name: "Cordoned", type: "boolean", jsonPath: ".spec.unschedulable" },
    { name: "Address", type: "string", jsonPath: ".status.address", priority: 1 },
    { name: "Latency-ms", type: "integer", jsonPath: ".status.ssh.latencyMs", priority: 1 },
    { name: "CPU", type: "string", jsonPath: ".status.capacity.cpu", priority: 1 },
    { name: "Memory", type: "string", jsonPath: ".status.capacity.memory", priority: 1 },
    { name: "Disk", type: "string", jsonPath: ".status.capacity.disk", priority: 1 },
    { name: "Kernel", type: "string", jsonPath: ".status.nodeInfo.kernelVersion", priority: 1 },
    { name: "Workspaces", type: "integer", jsonPath: ".status.workspaces" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  selectableFields: ["spec.unschedulable"],
  validate(node, old): readonly StatusCause[] {
    const { spec } = node;
    const { nodePorts } = spec;
    const causes = [...reachCauses(spec), ...localLabelCauses(node, old)];
    if (nodePorts.from > nodePorts.to) causes.push({ field: "spec.nodePorts.to", message: `must not be below from (${nodePorts.from})`, reason: "FieldValueInvalid" });
    return causes;
  },
};

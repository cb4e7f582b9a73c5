import { z } from "zod";
import { dnsLabel, labels, type ObjectMeta } from "./meta.ts";

const time = (what: string) => z.string().optional().describe(`${what}, RFC 3339.`);

const container = z.strictObject({
  name: dnsLabel.describe("Name of the Service; the last container is the Workspace's shell."),
  image: z.string().describe("What the Workspace's instance is made from; empty for plain processes."),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).optional().describe("When the image is fetched."),
  command: z.array(z.string()).optional().describe("Program and arguments of the Service."),
  workingDir: z.string().optional().describe("Directory that commands start in."),
  ports: z
    .array(
      z.strictObject({
        name: z.string().optional().describe("Name of the port, unique in the Service."),
        containerPort: z.number().int().describe("TCP port the command listens on, inside the workspace."),
        hostPort: z.number().int().optional().describe("Port on the node that reaches it."),
        protocol: z.literal("TCP").describe("Always TCP."),
      }),
    )
    .optional()
    .describe("Ports the command listens on."),
  env: z.array(z.strictObject({ name: z.string().describe("Name of the variable."), value: z.string().describe("Its value.") })).optional().describe("Environment variables, the Workspace's and the Service's."),
  resources: z.strictObject({ limits: z.record(z.string(), z.string()).optional().describe("Upper bounds, as quantities: cores and bytes.") }).describe("Bounds; they are the whole Workspace's, and told of its shell's container."),
});

const toleration = z.strictObject({
  key: z.string().optional().describe("The taint's key."),
  operator: z.string().optional().describe("Equal or Exists."),
  value: z.string().optional().describe("The taint's value."),
  effect: z.string().optional().describe("NoSchedule or NoExecute; absent: both."),
});

/** Schema of a Pod's spec. */
export const podSpec = z.strictObject({
  nodeName: z.string().optional().describe("The Node the Workspace was placed on."),
  nodeSelector: labels.optional().describe("Labels of the Nodes that will do."),
  tolerations: z.array(toleration).optional().describe("Taints that do not keep it away."),
  containers: z.array(container).describe("The Workspace's Services by name, then one container for its shell."),
  restartPolicy: z.enum(["Always", "OnFailure", "Never"]).describe("Always: each Service has a policy of its own."),
  terminationGracePeriodSeconds: z.number().int().describe("Seconds between asking the instance to stop and forcing it."),
});

const terminated = z.strictObject({
  exitCode: z.number().int().describe("Exit code; 128+n for signal n; 137 when nobody saw it."),
  signal: z.number().int().optional().describe("Number of the signal that ended it."),
  reason: z.string().optional().describe("Why it ended, as one CamelCase word."),
  message: z.string().optional().describe("Why it ended, as a sentence."),
  startedAt: time("When it was started"),
  finishedAt: time("When it ended, by the instance's clock"),
});

const state = z.strictObject({
  waiting: z.strictObject({ reason: z.string().optional().describe("What it waits for, as one CamelCase word."), message: z.string().optional().describe("What it waits for, as a sentence.") }).optional().describe("It does not run yet, or not again yet."),
  running: z.strictObject({ startedAt: time("When it was started") }).optional().describe("Its process runs."),
  terminated: terminated.optional().describe("It has ended."),
});

const containerStatus = z.strictObject({
  name: z.string().describe("Name of the container."),
  state: state.describe("What it does now: exactly one of waiting, running and terminated."),
  lastState: state.describe("How the run before this one ended."),
  ready: z.boolean().describe("Healthy now; a task is ready once it has ended with exit code 0."),
  started: z.boolean().describe("Its process runs."),
  restartCount: z.number().int().describe("Starts after the first."),
  image: z.string().describe("What the Workspace's instance is made from."),
  imageID: z.string().describe("Not told by every engine; empty."),
  containerID: z.string().optional().describe("Engine and the engine's name of the instance, as engine://name."),
});

const podCondition = z.strictObject({
  type: z.enum(["PodScheduled", "Initialized", "ContainersReady", "Ready"]).describe("What the condition is about."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  reason: z.string().optional().describe("Why not, as one CamelCase word."),
  message: z.string().optional().describe("Why not, as a sentence."),
  lastProbeTime: z.string().nullable().describe("When it was last looked at, RFC 3339; null: it is told of when it changes."),
  lastTransitionTime: time("When status last changed"),
});

const address = z.array(z.strictObject({ ip: z.string().describe("An IP address.") })).optional();

/** Schema of a Pod's status. */
export const podStatus = z.strictObject({
  phase: z.enum(["Pending", "Running", "Succeeded", "Failed", "Unknown"]).describe("Running: the Workspace's instance runs. Succeeded: it is stopped."),
  conditions: z.array(podCondition).describe("What is true now, one entry a type."),
  reason: z.string().optional().describe("Why it is in this phase, as one CamelCase word."),
  message: z.string().optional().describe("Why it is in this phase, as a sentence."),
  hostIP: z.string().optional().describe("Address of the node, as seen from the vendetta server."),
  hostIPs: address.describe("The same as a list."),
  podIP: z.string().optional().describe("Address of the instance, as seen from its node."),
  podIPs: address.describe("The same as a list."),
  startTime: time("When the instance was started"),
  containerStatuses: z.array(containerStatus).optional().describe("One entry a container, in the same order. Absent before the Workspace is placed."),
  qosClass: z.enum(["BestEffort", "Burstable", "Guaranteed"]).describe("Burstable when the Workspace has bounds."),
});

export type PodSpec = Readonly<z.infer<typeof podSpec>>;
export type PodStatus = Readonly<z.infer<typeof podStatus>>;
export type PodContainer = Readonly<z.infer<typeof container>>;
export type ContainerStatus = Readonly<z.infer<typeof containerStatus>>;
export type ContainerState = Readonly<z.infer<typeof state>>;
export type PodCondition = Readonly<z.infer<typeof podCondition>>;

/** core/v1 Pod, as far as a Workspace is one. Made by `podOf`, never stored. */
export interface Pod {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: ObjectMeta;
  readonly spec: PodSpec;
  readonly status: PodStatus;
}

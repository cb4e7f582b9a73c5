import { z } from "zod";
import { conditions } from "./conditions.ts";
import { dnsLabel, type ObjectMeta } from "./meta.ts";
import type { KindDefinition } from "./kind.ts";
import { soughtElsewhere } from "./issue-causes.ts";
import { mergedByKeys } from "./list-type.ts";
import type { StatusCause } from "./status-error.ts";
import { environment, port } from "./workspace.ts";

const dependency = z.strictObject({
  name: dnsLabel.describe("A Service of the same namespace."),
  condition: z.enum(["Ready", "Started", "Completed"]).default("Ready").describe("What must be true of it now: Ready (healthy), Started (its process runs), Completed (it ended with exit code 0)."),
});

const seconds = (min: number, max: number) => z.number().int().min(min).max(max);

const healthCheck = z.strictObject({
  http: z
    .strictObject({
      path: z.string().max(2048).startsWith("/", "must start with '/'").regex(/^[!-~]*$/, "must be printable ASCII without spaces").default("/").describe("Path asked for with GET."),
      port: port.optional().describe("TCP port inside the workspace. Default: the Service's first port."),
    })
    .optional()
    .describe("Ask with HTTP: healthy when the answer's status is 200 to 399."),
  tcp: z.strictObject({ port: port.optional().describe("TCP port inside the workspace. Default: the Service's first port.") }).optional().describe("Connect: healthy when the port accepts a connection."),
  exec: z.strictObject({ command: z.array(z.string().max(128 * 1024)).min(1).max(1000).describe("Command and arguments; no shell.") }).optional().describe("Run a command in the workspace: healthy when it ends with exit code 0."),
  intervalSeconds: seconds(1, 3600).default(5).describe("Seconds between checks. Until the Service is healthy for the first time it is checked more often."),
  timeoutSeconds: seconds(1, 600).default(2).describe("Seconds after which a check has failed."),
  failureThreshold: z.number().int().min(1).max(100).default(3).describe("Failures in a row that make a healthy Service unhealthy."),
  startPeriodSeconds: seconds(0, 3600).default(30).describe("Seconds after its start in which failures do not count."),
});

const nodePortElsewhere = { nodePort: "ports of the Node belong to the Workspace: spec.ports there, such as [{port: 8080, nodePort: 20080}]" };

const spec = z.strictObject({
  workspace: dnsLabel.describe("The Workspace of the same namespace that the command runs in."),
  command: z.array(z.string().max(128 * 1024).refine((word) => !word.includes("\0"), "must not contain a NUL byte")).min(1, "must name at least the program").max(1000).describe("Program and arguments; no shell is involved."),
  workingDir: z.string().max(4096).startsWith("/", "must be an absolute path").optional().describe("Directory to start in. Default: the Workspace's."),
  env: environment,
  port: port.optional().describe("TCP port the command listens on; also told to it as PORT. Short for one entry of ports."),
  ports: mergedByKeys(
    z
      .array(
        z.strictObject({
          name: dnsLabel.describe("Name of the port, unique in the Service."),
          port: port.describe("TCP port the command listens on, inside the workspace."),
          appProtocol: z.string().max(63).regex(/^[a-z][a-z0-9+.-]*$/, "must be a URL scheme such as http or postgres").default("http").describe("Scheme of the port's URL."),
        }).register(soughtElsewhere, nodePortElsewhere),
      )
      .max(32),
    "name",
  )
    .default([])
    .describe("TCP ports the command listens on. The first is the one meant where only one can be."),
  dependsOn: mergedByKeys(z.array(dependency).max(100), "name").default([]).describe("Services, and what must be true of them before this one is started, each time it is."),
  healthCheck: healthCheck.optional().describe("How to tell that it works. Default: its first port accepts a connection; without a port, its process runs."),
  restartPolicy: z.enum(["Always", "OnFailure", "Never"]).default("Always").describe("What to do when the command ends: Always and OnFailure (exit code not 0) start it again. A task that ends is OnFailure or Never."),
  terminationGracePeriodSeconds: seconds(0, 3600).default(10).describe("Seconds between SIGTERM and SIGKILL when it is stopped."),
}).register(soughtElsewhere, nodePortElsewhere);

const lastExit = z.strictObject({
  code: z.number().int().optional().describe("Exit code of the process; 128+n for signal n; absent when nobody saw it."),
  signal: z.string().optional().describe("Signal that ended it, such as SIGKILL."),
  reason: z.string().describe("Why it ended: Completed, Error, Signaled, CommandNotFound, Unhealthy, WorkspaceRestarted, Stopped or Unknown."),
  message: z.string().optional().describe("What is known of it, as a sentence for people."),
  startedAt: z.string().optional().describe("When that run was started, RFC 3339."),
  finishedAt: z.string().optional().describe("When it ended, RFC 3339, by the instance's clock."),
});

const endpoint = z.strictObject({
  name: z.string().describe("Name of the port in the spec; main for spec.port."),
  port: port.describe("TCP port inside the workspace."),
  nodePort: port.describe("TCP port on the node."),
  url: z.string().describe("URL at which it answers on the node."),
});

const status = z.strictObject({
  observedGeneration: z.number().int().optional().describe("The metadata.generation that was last acted on: smaller than the current one, this status is of an older spec."),
  phase: z.enum(["Pending", "Waiting", "Starting", "Running", "Unhealthy", "CrashLoopBackOff", "Completed", "Failed", "Stopping", "Stopped", "Unknown"]).optional().describe("One word for people; programs read the conditions."),
  conditions: conditions.optional(),
  pid: z.number().int().optional().describe("Process id inside the workspace."),
  runNumber: z.number().int().optional().describe("Number of the run, counted in this instance, that the status speaks of."),
  runHash: z.string().optional().describe("Fingerprint of the command and environment that run was started with."),
  instanceStartId: z.string().optional().describe("Id of the start of the instance that run belongs to: the Workspace's status.startId then."),
  startedAt: z.string().optional().describe("When the process was started, RFC 3339."),
  restarts: z.number().int().optional().describe("Number of starts after the first."),
  failures: z.number().int().optional().describe("Failures in a row; sets the back-off. Zero again after a minute of running."),
  nextRestartTime: z.string().optional().describe("When it is started again, RFC 3339."),
  lastExit: lastExit.optional().describe("How the latest run that has ended did so."),
  nodeName: z.string().optional().describe("The Node its Workspace was placed on."),
  url: z.string().optional().describe("URL of the first endpoint."),
  endpoints: mergedByKeys(z.array(endpoint), "name").optional().describe("Where each of its ports answers on the node."),
});

export type ServiceSpec = Readonly<z.infer<typeof spec>>;
export type ServiceStatus = Readonly<z.infer<typeof status>>;
export type HealthCheck = Readonly<z.infer<typeof healthCheck>>;
export type LastExit = Readonly<z.infer<typeof lastExit>>;

/** A supervised command in a Workspace. */
export interface Service {
  readonly apiVersion: "vendetta.dev/v1alpha1";
  readonly kind: "Service";
  readonly metadata: ObjectMeta;
  readonly spec: ServiceSpec;
  readonly status?: ServiceStatus;
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly appProtocol: string;
}

/** All ports of a Service, `port` written out as an entry named "main". */
export function portsOf(spec: ServiceSpec): readonly ServicePort[] {
  return spec.port === undefined ? spec.ports : [{ name: "main", port: spec.port, appProtocol: "http" }];
}

export const serviceKind: KindDefinition<Service> = {
  group: "vendetta.dev",
  version: "v1alpha1",
  kind: "Service",
  plural: "services",
  singular: "service",
  shortNames: ["svc"],
  categories: ["all", "vendetta"],
  scope: "Namespaced",
  description: "A command that is kept running in a Workspace: started after what it depends on, probed, restarted, stopped in order.",
  nameSchema: dnsLabel,
  specSchema: spec,
  statusSchema: status,
  printerColumns: [
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "Status", type: "string", jsonPath: ".status.phase" },
    { name: "Workspace", type: "string", jsonPath: ".spec.workspace" },
    { name: "Restarts", type: "integer", jsonPath: ".status.restarts" },
    { name: "URL", type: "string", jsonPath: ".status.url" },
    { name: "PID", type: "integer", jsonPath: ".status.pid", priority: 1 },
    { name: "Node", type: "string", jsonPath: ".status.nodeName", priority: 1 },
    { name: "Ports", type: "string", jsonPath: ".status.endpoints[*].nodePort", priority: 1 },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    { name: "Message", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].message', priority: 1 },
  ],
  selectableFields: ["spec.workspace", "status.phase"],
  validate: validateService,
};

function validateService({ metadata, spec }: Service, old: Service | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = [];
  const refuse = (field: string, message: string, reason = "FieldValueInvalid") => causes.push({ field, message, reason });
  // Whoever applies a second "web" to the namespace means another one, and what runs in the old Workspace would be nobody's.
  if (old !== undefined && spec.workspace !== old.spec.workspace) {
    refuse("spec.workspace", `cannot be changed from "${old.spec.workspace}" to "${spec.workspace}": Service "${metadata.name}" of this namespace runs in Workspace "${old.spec.workspace}"; use another name or namespace, or delete it first`, "FieldValueForbidden");
  }
  if (spec.port !== undefined && spec.ports.length > 0) refuse("spec.port", "must not be given together with ports", "FieldValueForbidden");
  spec.ports.forEach(({ name, port }, i) => {
    if (spec.ports.findIndex((other) => other.name === name) < i) refuse(`spec.ports[${i}].name`, `is named twice: ${name}`, "FieldValueDuplicate");
    if (spec.ports.findIndex((other) => other.port === port) < i) refuse(`spec.ports[${i}].port`, `is named twice: ${port}`, "FieldValueDuplicate");
  });
  spec.dependsOn.forEach(({ name }, i) => {
    if (name === metadata.name) refuse(`spec.dependsOn[${i}].name`, `dependency cycle: ${name} → ${name}`);
    if (spec.dependsOn.findIndex((other) => other.name === name) < i) refuse(`spec.dependsOn[${i}].name`, `is named twice: ${name}`, "FieldValueDuplicate");
  });
  if (spec.healthCheck !== undefined) {
    const { http, tcp, exec } = spec.healthCheck;
    if ([http, tcp, exec].filter((each) => each !== undefined).length !== 1) refuse("spec.healthCheck", "must name exactly one of http, tcp and exec");
    for (const [how, check] of [["http", http], ["tcp", tcp]] as const) {
      if (check !== undefined && check.port === undefined && portsOf(spec).length === 0) refuse(`spec.healthCheck.${how}.port`, "is required when the Service names no port", "FieldValueRequired");
    }
  }
  return causes;
}

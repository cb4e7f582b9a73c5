import { recreationOf } from "./annotations.ts";
import { findCondition, isTrue } from "./conditions.ts";
import type { ObjectMeta } from "./meta.ts";
import type { ContainerStatus, Pod, PodCondition, PodContainer } from "./pod.ts";
import { containerStatusOf, shellStatus, type InstanceState } from "./pod-container-status.ts";
import { portsOf, type Service } from "./service.ts";
import type { Workspace } from "./workspace.ts";

/** A Service or the Workspace itself: what a container of a Pod stands for. */
export type ContainerTarget = { readonly kind: "Service"; readonly name: string } | { readonly kind: "Workspace" };

const shellName = "workspace";
/** kubectl would take the manifest of the Workspace for the Pod's. */
const hiddenAnnotations: readonly string[] = ["kubectl.kubernetes.io/last-applied-configuration"];
/** All Nodes so far are this machine: where their ports answer. */
const nodeAddress = "127.0.0.1";

/**
 * A Workspace and its Services as a core/v1 Pod. Pure.
 * @param services those of its namespace whose spec.workspace it is, in any order
 * @param resourceVersion of the newest of all these
 */
export function podOf(workspace: Workspace, services: Iterable<Service>, resourceVersion: string): Pod {
  const sorted = [...services].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const shell = shellContainerName(sorted.map((each) => each.metadata.name));
  const { spec, status } = workspace;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: metadataOf(workspace, resourceVersion),
    spec: {
      ...(status?.nodeName === undefined ? {} : { nodeName: status.nodeName }),
      ...(spec.nodeSelector === undefined ? {} : { nodeSelector: spec.nodeSelector }),
      ...(spec.tolerations.length === 0 ? {} : { tolerations: spec.tolerations }),
      containers: [...sorted.map((each) => serviceContainer(workspace, each)), shellContainer(workspace, shell)],
      restartPolicy: "Always",
      terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
    },
    status: statusOf(workspace, sorted, shell),
  };
}

/** The container that stands for the Workspace's shell. Service names come first: a Service may well be called workspace. */
export function shellContainerName(serviceNames: readonly string[]): string {
  let name = shellName;
  while (serviceNames.includes(name)) name += "-shell";
  return name;
}

/** What a container of this Pod stands for; undefined when it has none of that name. */
export function containerTarget(pod: Pod, container: string): ContainerTarget | undefined {
  const index = pod.spec.containers.findIndex((each) => each.name === container);
  if (index < 0) return undefined;
  return index === pod.spec.containers.length - 1 ? { kind: "Workspace" } : { kind: "Service", name: container };
}

/**
 * The Workspace's uid with the UUID's version set to 8 to f, in turn with each time it was asked to be made anew: never the
 * same as the Workspace's, nor as that of the Pod before, and led back by `workspaceUid`.
 */
export function podUid(uid: string, recreation: number): string {
  const turn = (8 + (recreation % 8)).toString(16);
  return /^.{14}4.{21}$/.test(uid) ? `${uid.slice(0, 14)}${turn}${uid.slice(15)}` : `pod-${turn}-${uid}`;
}

export function workspaceUid(uid: string): string {
  return /^.{14}[89a-f].{21}$/.test(uid) ? `${uid.slice(0, 14)}4${uid.slice(15)}` : uid.replace(/^pod-[89a-f]-/, "");
}

function metadataOf({ apiVersion, kind, metadata }: Workspace, resourceVersion: string): ObjectMeta {
  const { name, namespace, uid, generation, creationTimestamp, deletionTimestamp, labels, annotations = {} } = metadata;
  const shown = Object.entries(annotations).filter(([key]) => !hiddenAnnotations.includes(key));
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: podUid(uid, recreationOf({ metadata })),
    resourceVersion,
    generation,
    creationTimestamp,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(labels === undefined ? {} : { labels }),
    ...(shown.length === 0 ? {} : { annotations: Object.fromEntries(shown) }),
    ownerReferences: [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }],
  };
}

function serviceContainer({ spec, status }: Workspace, service: Service): PodContainer {
  const own = service.spec;
  const ports = portsOf(own).map(({ name, port }) => {
    const mapped = status?.ports?.find((each) => each.port === port);
    return { name, containerPort: port, ...(mapped === undefined ? {} : { hostPort: mapped.nodePort }), protocol: "TCP" as const };
  });
  return {
    name: service.metadata.name,
    ...common(spec),
    command: own.command,
    ...directory(own.workingDir ?? spec.workingDir),
    ...(ports.length === 0 ? {} : { ports }),
    ...environment({ ...spec.env, ...own.env }),
    resources: {},
  };
}

function shellContainer({ spec, status }: Workspace, name: string): PodContainer {
  const { cpu, memory } = spec.resources;
  const limits = { ...(cpu === undefined ? {} : { cpu: String(cpu) }), ...(memory === undefined ? {} : { memory: String(memory) }) };
  const ports = spec.ports.map(({ port, nodePort }) => {
    const hostPort = status?.ports?.find((each) => each.port === port)?.nodePort ?? nodePort;
    return { containerPort: port, ...(hostPort === undefined ? {} : { hostPort }), protocol: "TCP" as const };
  });
  return {
    name,
    ...common(spec),
    ...(spec.docker?.command === undefined ? {} : { command: spec.docker.command }),
    ...directory(spec.workingDir),
    ...(ports.length === 0 ? {} : { ports }),
    ...environment(spec.env),
    resources: Object.keys(limits).length === 0 ? {} : { limits },
  };
}

const common = ({ image = "", imagePullPolicy }: Workspace["spec"]) => ({ image, imagePullPolicy });
const directory = (workingDir: string | undefined) => (workingDir === undefined ? {} : { workingDir });

function environment(env: Readonly<Record<string, string>>): Pick<PodContainer, "env"> {
  const all = Object.entries(env).map(([name, value]) => ({ name, value }));
  return all.length === 0 ? {} : { env: all };
}

function statusOf(workspace: Workspace, services: readonly Service[], shell: string): Pod["status"] {
  const { spec, status = {} } = workspace;
  const ready = findCondition(status.conditions, "Ready");
  const instance: InstanceState = { spec, status, ready };
  const placed = status.nodeName !== undefined;
  const containerStatuses = placed ? [...services.map((each) => containerStatusOf(each, instance)), shellStatus(shell, instance)] : undefined;
  const limited = Object.keys(spec.resources).length > 0;
  return {
    phase: phaseOf(status),
    conditions: conditionsOf(workspace, services, containerStatuses),
    ...(status.phase === "Stopped" ? { reason: "Stopped" } : {}),
    ...(ready === undefined || ready.status === "True" ? {} : { message: ready.message }),
    ...(placed ? { hostIP: nodeAddress, hostIPs: [{ ip: nodeAddress }] } : {}),
    ...(status.address === undefined ? {} : { podIP: status.address, podIPs: [{ ip: status.address }] }),
    ...(status.startedAt === undefined ? {} : { startTime: wholeSeconds(status.startedAt) }),
    ...(containerStatuses === undefined ? {} : { containerStatuses }),
    qosClass: limited ? "Burstable" : "BestEffort",
  };
}

function phaseOf({ phase, startId }: NonNullable<Workspace["status"]>): Pod["status"]["phase"] {
  if (phase === "Unknown") return "Unknown";
  if (startId !== undefined) return "Running";
  return phase === "Stopped" ? "Succeeded" : "Pending";
}

/** metav1.Time has no fractions; engines tell them. */
function wholeSeconds(time: string): string {
  return time.replace(/\.\d+/, "");
}

function conditionsOf({ metadata, status }: Workspace, services: readonly Service[], statuses: readonly ContainerStatus[] | undefined): PodCondition[] {
  const since = (...times: readonly (string | undefined)[]) => times.filter((each) => each !== undefined).reduce((a, b) => (a > b ? a : b), metadata.creationTimestamp);
  const scheduled = findCondition(status?.conditions, "Scheduled");
  const placed = status?.nodeName !== undefined;
  const placing: PodCondition = {
    type: "PodScheduled", status: placed ? "True" : "False", ...(placed || scheduled === undefined ? {} : { reason: scheduled.reason, message: scheduled.message }),
    lastProbeTime: null, lastTransitionTime: since(scheduled?.lastTransitionTime),
  };
  if (!placed || statuses === undefined) return [placing];

  const workspaceReady = findCondition(status?.conditions, "Ready");
  const unready = statuses.filter((each) => !each.ready).map((each) => each.name);
  const unknown = status?.phase === "Unknown" || workspaceReady?.status === "Unknown";
  const allReady = unready.length === 0 && isTrue(status?.conditions, "Ready");
  const readyAt = since(workspaceReady?.lastTransitionTime, ...services.map((each) => findCondition(each.status?.conditions, "Ready")?.lastTransitionTime));
  const why = unknown ? { reason: "NodeStatusUnknown", message: workspaceReady?.message ?? "" } : { reason: "ContainersNotReady", message: `containers with unready status: [${unready.join(" ")}]` };
  const holds = { status: unknown ? ("Unknown" as const) : allReady ? ("True" as const) : ("False" as const), ...(allReady && !unknown ? {} : why), lastProbeTime: null, lastTransitionTime: readyAt };
  return [
    { type: "Initialized", status: "True", lastProbeTime: null, lastTransitionTime: since(scheduled?.lastTransitionTime) },
    { type: "Ready", ...holds },
    { type: "ContainersReady", ...holds },
    placing,
  ];
}

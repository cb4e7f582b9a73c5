import { findCondition, type Condition } from "./conditions.ts";
import type { ContainerState, ContainerStatus } from "./pod.ts";
import type { LastExit, Service, ServiceStatus } from "./service.ts";
import type { Workspace, WorkspaceStatus } from "./workspace.ts";

/** What containers have in common: the instance they are all in. */
export interface InstanceState {
  readonly spec: Workspace["spec"];
  readonly status: WorkspaceStatus;
  readonly ready: Condition | undefined;
}

/** What Kubernetes tells of a container whose end nobody saw. */
const unseenExitCode = 137;

/** A Service as the status of a container. Pure. Source: Kubernetes' Pod lifecycle, "Container states". */
export function containerStatusOf(service: Service, instance: InstanceState): ContainerStatus {
  const { status = {} } = service;
  const state = stateOf(service, instance);
  const completed = status.phase === "Completed";
  const last = state.terminated === undefined && status.lastExit !== undefined ? { terminated: terminatedOf(status.lastExit, state.waiting === undefined ? undefined : status) } : {};
  return {
    name: service.metadata.name,
    state,
    lastState: last,
    ready: (completed || state.running !== undefined) && findCondition(status.conditions, completed ? "Completed" : "Ready")?.status === "True",
    started: state.running !== undefined,
    restartCount: status.restarts ?? 0,
    ...imageOf(instance),
  };
}

/** The container of the Workspace's shell: it runs while the instance does. */
export function shellStatus(name: string, instance: InstanceState): ContainerStatus {
  const { status, ready } = instance;
  const running = status.startId !== undefined;
  const state: ContainerState = running
    ? { running: startedAt(status.startedAt) }
    : status.phase === "Stopped" ? { terminated: { exitCode: 0, reason: "Stopped", message: "its workspace is stopped", ...(ready === undefined ? {} : { finishedAt: ready.lastTransitionTime }) } } : { waiting: waitingForInstance(instance) };
  return { name, state, lastState: {}, ready: running && ready?.status === "True", started: running, restartCount: status.restarts ?? 0, ...imageOf(instance) };
}

function imageOf({ spec, status }: InstanceState): Pick<ContainerStatus, "image" | "imageID" | "containerID"> {
  return { image: spec.image ?? "", imageID: "", ...(status.startId === undefined || status.instanceId === undefined ? {} : { containerID: `${spec.provider}://${status.instanceId}` }) };
}

function stateOf(service: Service, instance: InstanceState): ContainerState {
  const { status = {} } = service;
  const ready = findCondition(status.conditions, "Ready");
  const waiting = (reason: string): ContainerState => ({ waiting: { reason, ...(ready === undefined ? {} : { message: ready.message }) } });
  switch (status.phase) {
    case "Starting":
    case "Running":
    case "Unhealthy":
    case "Stopping":
      // What is being started has no process to tell of yet.
      return status.pid === undefined ? waiting("ContainerCreating") : { running: startedAt(status.startedAt) };
    case "CrashLoopBackOff":
      return waiting("CrashLoopBackOff");
    case "Completed":
    case "Failed":
      return { terminated: terminatedOf(status.lastExit, status) };
    case "Stopped":
      return { terminated: { ...terminatedOf(status.lastExit, status), reason: "Stopped" } };
    case "Unknown":
      return status.pid === undefined ? waiting("ContainerStatusUnknown") : { running: startedAt(status.startedAt) };
    case "Pending":
    case "Waiting":
    case undefined:
      if (instance.status.startId === undefined) return { waiting: waitingForInstance(instance) };
      return waiting(ready?.reason === "DependenciesNotReady" ? ready.reason : "ContainerCreating");
  }
}

/** Reasons that only say how far it is. */
const making: readonly string[] = ["Creating", "Starting", "Recreating", "Restoring", "Placed", "Pending", "Running"];
const imageReasons: readonly string[] = ["ImagePullFailed", "ImageNotFound"];

/** All containers are in one instance: what holds it up holds up each. */
function waitingForInstance({ ready }: InstanceState): NonNullable<ContainerState["waiting"]> {
  if (ready === undefined) return { reason: "ContainerCreating" };
  const reason = making.includes(ready.reason) ? "ContainerCreating" : imageReasons.includes(ready.reason) ? "ErrImagePull" : ready.reason;
  return { reason, message: ready.message };
}

/** The words that kubelet has for the ends we know; others keep ours. */
const terminationReasons: Readonly<Record<string, string>> = { Signaled: "Error", CommandNotFound: "ContainerCannotRun", Unknown: "ContainerStatusUnknown" };

function terminatedOf(exit: LastExit | undefined, of: ServiceStatus | undefined): NonNullable<ContainerState["terminated"]> {
  const { code, signal, reason = "ContainerStatusUnknown", message, finishedAt } = exit ?? {};
  return {
    exitCode: code ?? (exit === undefined ? 0 : unseenExitCode),
    ...(signal !== undefined && code !== undefined && code > 128 ? { signal: code - 128 } : {}),
    reason: terminationReasons[reason] ?? reason,
    ...(message === undefined ? {} : { message }),
    ...startedAt(exit?.startedAt ?? of?.startedAt),
    ...(finishedAt === undefined ? {} : { finishedAt }),
  };
}

function startedAt(time: string | undefined): { readonly startedAt?: string } {
  return time === undefined ? {} : { startedAt: time.replace(/\.\d+/, "") };
}

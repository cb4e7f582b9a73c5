import { timestamp } from "../../src/base/clock.ts";
import { findCondition, isTrue, type ConditionInput } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { LastExit, Service, ServiceStatus } from "../../src/api/service.ts";
import { portsOf } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Health } from "./prober.ts";
import type { Run } from "./supervisor.ts";

export const serviceFinalizer = "vendetta.dev/service";

/** A run this long wipes out the failures before it. */
const steadyMs = 60_000;
const restartDelayMsMax = 60_000;

/** What could not be asked is asked again this often: nobody else may notice that it answers. */
const unknownRetryMs = 3000;

/** What was seen of the world, read for this very pass. */
export interface ServiceObservation {
  readonly workspace: Workspace | undefined;
  /** undefined: the instance does not run, so nothing in it does. `unknown`: it could not be asked. */
  readonly runs: { readonly kind: "none" } | { readonly kind: "unknown"; readonly reason: string; readonly message: string } | { readonly kind: "known"; readonly latest: Run | undefined };
  readonly health: Health;
  /** Fingerprint of what a start now would run. */
  readonly hash: string;
  /** The Services it depends on, as far as they exist. */
  readonly dependencies: ReadonlyMap<string, Service>;
  /** Of these, those to whose ports nothing leads from where it runs. */
  readonly withoutAddress: readonly string[];
  /** And those to which nothing leads at the moment, though it will: what is in the way, by their names. */
  readonly noWayTo: ReadonlyMap<string, string>;
  /** Services that depend on it and have a living process while they too are on their way down. */
  readonly dependentsStopping: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type ServiceStep =
  | { readonly do: "adopt" }
  | { readonly do: "start"; readonly why: "First" | "Restart" | "Changed" }
  | { readonly do: "signal"; readonly name: "TERM" | "KILL"; readonly run: number; readonly why: string }
  /** Remove what the supervisor keeps of it. */
  | { readonly do: "forget" }
  | { readonly do: "finish" };

/** Steps to carry out in order, then the status to write, then when to look again at the latest. */
export interface ServicePlan {
  readonly steps: readonly ServiceStep[];
  readonly status: Partial<ServiceStatus> & { readonly phase: NonNullable<ServiceStatus["phase"]> };
  readonly conditions: readonly ConditionInput[];
  readonly afterMs: number | undefined;
}

/** What should be done next for one Service. Pure: the same arguments give the same plan. */
export function planService(service: Service, seen: ServiceObservation): ServicePlan {
  if (isDeleting(service)) return planDown(service, seen, "Deleted");
  if (!(service.metadata.finalizers ?? []).includes(serviceFinalizer)) return keep(service, seen, { steps: [{ do: "adopt" }], phase: "Pending", reason: "Pending", message: "seen for the first time" });
  const { workspace } = seen;
  if (workspace === undefined) {
    return keep(service, seen, { phase: "Pending", reason: "WorkspaceNotFound", message: `Workspace "${service.spec.workspace}" does not exist in namespace ${service.metadata.namespace}; apply it` });
  }
  const down = goingDown(workspace);
  if (down !== undefined) return planDown(service, seen, down);
  if (seen.runs.kind === "unknown") return keep(service, seen, { phase: "Unknown", ready: "Unknown", reason: seen.runs.reason, message: seen.runs.message, afterMs: unknownRetryMs });
  const ready = findCondition(workspace.status?.conditions, "Ready");
  if (ready?.status === "Unknown") return keep(service, seen, { phase: "Unknown", ready: "Unknown", reason: "WorkspaceUnknown", message: `Workspace "${workspace.metadata.name}": ${ready.message}` });
  if (seen.runs.kind === "none") {
    if (ready?.status !== "True") return keep(service, seen, { phase: "Waiting", reason: "WorkspaceNotReady", message: `waiting for Workspace "${workspace.metadata.name}" to run (it is ${workspace.status?.phase ?? "Pending"})` });
    // Its own loop has not seen it yet, or saw it come back when we had just looked: nobody else may tell when the two agree.
    return keep(service, seen, { phase: "Waiting", reason: "WorkspaceNotReady", message: `waiting for Workspace "${workspace.metadata.name}" to run again`, afterMs: unknownRetryMs });
  }
  const run = seen.runs.latest;
  if (run === undefined) return planStart(service, seen, lostRun(service, workspace));
  return run.state.kind === "running" ? planRunning(service, seen, run, run.state) : planExited(service, seen, run, run.state);
}

/** Why what runs in this workspace has to stop; undefined when it may go on. */
export function goingDown(workspace: Workspace): string | undefined {
  if (isDeleting(workspace)) return "WorkspaceDeleted";
  if (workspace.spec.state === "Stopped") return "WorkspaceStopped";
  switch (workspace.status?.phase) {
    case "Recreating":
      return "WorkspaceRecreated";
    case "Restoring":
      return "WorkspaceRestored";
    case "Moving":
      return "WorkspaceMoved";
    // Not by its spec: its Node is drained, or has a taint.
    case "Stopping":
    case "Stopped":
      return "WorkspaceStopped";
    default:
      return undefined;
  }
}

type Running = Extract<Run["state"], { kind: "running" }>;
type Exited = Extract<Run["state"], { kind: "exited" }>;

function planRunning(service: Service, seen: ServiceObservation, run: Run, state: Running): ServicePlan {
  const facts = runFacts(seen, run, state);
  if (run.hash !== seen.hash) return planTerminate(service, seen, run, state, "Changed", "what it runs has changed");
  if (state.stopRequestedAtSeconds !== undefined) return planTerminate(service, seen, run, state, "Stopping", "it is being restarted");
  if (seen.health.state === "unhealthy") {
    if (service.spec.restartPolicy !== "Never") return planTerminate(service, seen, run, state, "Unhealthy", seen.health.message);
    return keep(service, seen, { phase: "Unhealthy", reason: "Unhealthy", message: seen.health.message, facts });
  }
  const steady = seen.now - run.startedAtSeconds * 1000 >= steadyMs;
  const calm = steady && (service.status?.failures ?? 0) > 0 ? { failures: 0 } : {};
  if (seen.health.state === "healthy") return keep(service, seen, { phase: "Running", ready: "True", reason: "Healthy", message: seen.health.message, started: true, facts: { ...facts, ...calm, nextRestartTime: undefined } });
  return keep(service, seen, { phase: "Starting", reason: "HealthCheckPending", message: seen.health.message, started: true, facts: { ...facts, ...calm, nextRestartTime: undefined } });
}

/** SIGTERM, the grace, then SIGKILL: each only once it is due, told by the time on record in the instance. */
function planTerminate(service: Service, seen: ServiceObservation, run: Run, state: Running, why: string, message: string): ServicePlan {
  const facts = runFacts(seen, run, state);
  const graceMs = service.spec.terminationGracePeriodSeconds * 1000;
  const common = { phase: "Stopping", reason: why, message: `stopping: ${message}`, facts: why === "Unhealthy" ? { ...facts, lastExit: { reason: "Unhealthy", message, startedAt: facts.startedAt } } : facts } as const;
  if (state.stopRequestedAtSeconds === undefined) {
    return keep(service, seen, { ...common, steps: [{ do: "signal", name: "TERM", run: run.number, why: message }], afterMs: graceMs });
  }
  const dueMs = state.stopRequestedAtSeconds * 1000 + graceMs;
  // The instance counts whole seconds: one more, so that the grace is never cut short.
  if (seen.now < dueMs + 1000) return keep(service, seen, { ...common, afterMs: dueMs + 1000 - seen.now });
  return keep(service, seen, { ...common, steps: [{ do: "signal", name: "KILL", run: run.number, why: `it did not end within ${service.spec.terminationGracePeriodSeconds} s of SIGTERM` }], afterMs: 1000 });
}

function planExited(service: Service, seen: ServiceObservation, run: Run, state: Exited): ServicePlan {
  const facts = { ...exitFacts(service, seen, run, state), instanceStartId: seen.workspace?.status?.startId };
  if (run.hash !== seen.hash) return planStart(service, seen, { why: "Changed", facts: { ...facts, failures: 0 } });
  const { reason, message } = facts.lastExit;
  const succeeded = state.code === 0;
  if (!state.stopRequested && service.spec.restartPolicy !== "Always") {
    if (succeeded) return keep(service, seen, { phase: "Completed", reason: "Completed", message: "ended with exit code 0", completed: true, facts });
    if (service.spec.restartPolicy === "Never") return keep(service, seen, { phase: "Failed", reason, message: message ?? "ended", facts });
  }
  const dueMs = (facts.exitedAtMs ?? seen.now) + restartDelayMs(facts.failures);
  if (seen.now < dueMs) {
    return keep(service, seen, {
      phase: "CrashLoopBackOff", reason: "CrashLoopBackOff",
      message: `${message}; starting it again ${restartDelayMs(facts.failures) / 1000} s after that (failed ${facts.failures} times in a row); see 'vendetta logs ${service.metadata.name}'`,
      facts: { ...facts, nextRestartTime: timestamp(dueMs) }, afterMs: dueMs - seen.now,
    });
  }
  return planStart(service, seen, { why: "Restart", facts });
}

/** The first failure is answered at once; then 1, 2, 4 … 60 seconds. */
export function restartDelayMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(restartDelayMsMax, 1000 * 2 ** (failures - 2));
}

const settleMsMin = 1000;
const settleMsMax = 10_000;

/**
 * How much longer a process that no check asks must run before it counts as healthy: a second, or as long as was waited for
 * this start when the ones before it failed. One that was there long before we looked has settled.
 */
export function settleMs(startedAtMs: number, failures: number, nowMs: number): number {
  const needed = Math.min(settleMsMax, Math.max(settleMsMin, restartDelayMs(failures)));
  // The instance counts whole seconds: what is on record may be up to one earlier than what was.
  return nowMs - startedAtMs >= needed + 1000 ? 0 : needed;
}

interface StartReason {
  readonly why: "First" | "Restart" | "Changed";
  readonly facts: Partial<ServiceStatus>;
}

/** There is no run in this instance. Either there never was one, or the instance was started anew and took it along. */
function lostRun(service: Service, workspace: Workspace): StartReason {
  const { instanceStartId, startedAt, lastExit } = service.status ?? {};
  if (instanceStartId === undefined || startedAt === undefined) return { why: "First", facts: {} };
  if (instanceStartId === workspace.status?.startId) return { why: "Restart", facts: {} };
  const { phase } = service.status ?? {};
  const wasDown = phase === "Stopped" || phase === "Completed" || phase === "Failed";
  return { why: wasDown ? "First" : "Restart", facts: { failures: 0, lastExit: wasDown ? lastExit : { reason: "WorkspaceRestarted", message: "its workspace was started anew", startedAt } } };
}

function planStart(service: Service, seen: ServiceObservation, { why, facts }: StartReason): ServicePlan {
  const gone = { ...facts, pid: undefined };
  const waiting = unmetDependencies(service, seen);
  if (waiting.length > 0) {
    const message = waiting.map((each) => each.message).join("; ");
    return keep(service, seen, { phase: "Waiting", reason: "DependenciesNotReady", message: `waiting for ${message}`, facts: gone });
  }
  const steps: ServiceStep[] = [{ do: "start", why }];
  return keep(service, seen, {
    steps, phase: "Starting", reason: "Started", message: "its process was started", started: true,
    facts: { ...gone, nextRestartTime: undefined, restarts: (service.status?.restarts ?? 0) + (why === "First" ? 0 : 1) },
  });
}

/** Which dependencies do not meet their condition now, and why. */
export function unmetDependencies(service: Service, { dependencies, noWayTo }: Pick<ServiceObservation, "dependencies" | "noWayTo">): readonly { readonly name: string; readonly message: string }[] {
  return service.spec.dependsOn.flatMap(({ name, condition }) => {
    const dependency = dependencies.get(name);
    if (dependency === undefined) return [{ name, message: `Service "${name}", which does not exist` }];
    const inTheWay = noWayTo.get(name);
    // What its variables say must be true before anything is started that reads them.
    if (isTrue(dependency.status?.conditions, condition)) return inTheWay === undefined ? [] : [{ name, message: `a way to "${name}": ${inTheWay}` }];
    // Its phase and no more: with its whole message every change deep in the graph would be written into everything above.
    return [{ name, message: `"${name}" to be ${condition} (it is ${dependency.status?.phase ?? "Pending"})` }];
  });
}

function planDown(service: Service, seen: ServiceObservation, why: string): ServicePlan {
  const deleting = isDeleting(service);
  if (deleting && !(service.metadata.finalizers ?? []).includes(serviceFinalizer)) return keep(service, seen, { phase: "Stopped", reason: "Deleted", message: "deleted" });
  if (seen.runs.kind === "unknown") {
    // Nobody starts a service of a workspace on its way down: what has been seen to be stopped still is, and the instance goes next.
    if (!deleting && service.status?.phase === "Stopped") return keep(service, seen, { phase: "Stopped", reason: why, message: describeDown(why), afterMs: unknownRetryMs });
    return keep(service, seen, { phase: "Unknown", ready: "Unknown", reason: seen.runs.reason, message: `cannot stop it: ${seen.runs.message}`, afterMs: unknownRetryMs });
  }
  const run = seen.runs.kind === "known" ? seen.runs.latest : undefined;
  if (run?.state.kind === "running") {
    if (seen.dependentsStopping.length > 0) {
      return keep(service, seen, { phase: "Stopping", reason: why, message: `stopping after what depends on it: ${seen.dependentsStopping.join(", ")}`, started: true, facts: runFacts(seen, run, run.state) });
    }
    return planTerminate(service, seen, run, run.state, why, describeDown(why));
  }
  if (deleting) return keep(service, seen, { steps: [...(run ? [{ do: "forget" } as const] : []), { do: "finish" }], phase: "Stopped", reason: "Deleted", message: "stopped" });
  const facts = run?.state.kind === "exited" ? exitFacts(service, seen, run, run.state) : {};
  return keep(service, seen, { phase: "Stopped", reason: why, message: describeDown(why), facts: { ...facts, pid: undefined, nextRestartTime: undefined } });
}

function describeDown(why: string): string {
  switch (why) {
    case "WorkspaceStopped":
      return "its workspace is stopped";
    case "WorkspaceDeleted":
      return "its workspace is being deleted";
    case "WorkspaceRecreated":
      return "its workspace is being made anew";
    case "WorkspaceRestored":
      return "its workspace's disk is being put back to a snapshot";
    case "WorkspaceMoved":
      return "its workspace is moved to another Node";
    default:
      return "it is being deleted";
  }
}

function runFacts(seen: ServiceObservation, run: Run, state: Running): Partial<ServiceStatus> {
  return {
    pid: state.pid, runNumber: run.number, runHash: run.hash, instanceStartId: seen.workspace?.status?.startId,
    startedAt: timestamp(run.startedAtSeconds * 1000),
  };
}

type ExitFacts = Partial<ServiceStatus> & { readonly lastExit: LastExit; readonly failures: number; readonly exitedAtMs?: number };

/** What an ended run adds to the status. Counted once: the status then names the run's end. */
function exitFacts(service: Service, seen: ServiceObservation, run: Run, state: Exited): ExitFacts {
  const old = service.status;
  const finishedAt = state.atSeconds === undefined ? undefined : timestamp(state.atSeconds * 1000);
  const exitedAtMs = state.atSeconds === undefined ? seen.now : state.atSeconds * 1000;
  const counted = old?.runNumber === run.number && old.instanceStartId === seen.workspace?.status?.startId && old.pid === undefined;
  if (counted && old.lastExit !== undefined) return { lastExit: old.lastExit, failures: old.failures ?? 0, exitedAtMs };
  // Without a finishedAt it is the mark that planTerminate left: this run was stopped because it was unhealthy.
  const unhealthy = old?.runNumber === run.number && old.lastExit?.reason === "Unhealthy" && old.lastExit.finishedAt === undefined && state.stopRequested;
  const startedAt = timestamp(run.startedAtSeconds * 1000);
  const lastExit = unhealthy ? { ...describeExit(state), reason: "Unhealthy", message: old.lastExit!.message } : describeExit(state);
  const ranMs = exitedAtMs - run.startedAtSeconds * 1000;
  const before = ranMs >= steadyMs ? 0 : (old?.failures ?? 0);
  const failures = state.stopRequested && !unhealthy ? 0 : before + 1;
  return {
    pid: undefined, runNumber: run.number, runHash: run.hash, startedAt, failures, exitedAtMs,
    lastExit: { ...lastExit, startedAt, ...(finishedAt === undefined ? {} : { finishedAt }) },
  };
}

const signalNames: Readonly<Record<number, string>> = { 1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM" };

export function describeExit(state: Exited): LastExit {
  const { code, stopRequested } = state;
  if (code === undefined) return { reason: "Unknown", message: "ended unseen: its supervisor was killed" };
  if (code > 128 && code < 193) {
    const signal = signalNames[code - 128] ?? `signal ${code - 128}`;
    return { code, signal, reason: stopRequested ? "Stopped" : "Signaled", message: `ended by ${signal}` };
  }
  if (stopRequested) return { code, reason: "Stopped", message: `stopped with exit code ${code}` };
  if (code === 0) return { code, reason: "Completed", message: "ended with exit code 0" };
  if (code === 127) return { code, reason: "CommandNotFound", message: "its command was not found in the workspace (exit code 127)" };
  return { code, reason: "Error", message: `ended with exit code ${code}` };
}

interface Outline {
  readonly steps?: readonly ServiceStep[];
  readonly phase: NonNullable<ServiceStatus["phase"]>;
  readonly ready?: "True" | "False" | "Unknown";
  readonly started?: boolean;
  readonly completed?: boolean;
  readonly reason: string;
  readonly message: string;
  /** Fields to set; undefined takes one away. */
  readonly facts?: Partial<ServiceStatus> & { readonly exitedAtMs?: number };
  readonly afterMs?: number;
}

function keep(service: Service, seen: ServiceObservation, outline: Outline): ServicePlan {
  const observedGeneration = service.metadata.generation;
  const unknown = outline.ready === "Unknown";
  const flag = (value: boolean | undefined) => (unknown ? "Unknown" : value === true ? "True" : "False");
  const waiting = unmetDependencies(service, seen);
  const { exitedAtMs: _, ...facts } = outline.facts ?? {};
  return {
    steps: outline.steps ?? [],
    status: { ...facts, phase: outline.phase, ...endpoints(service, seen.workspace) },
    conditions: [
      service.spec.dependsOn.length === 0
        ? { type: "DependenciesReady", status: "True", reason: "NoDependencies", message: "depends on nothing", observedGeneration }
        : waiting.length === 0
          ? { type: "DependenciesReady", status: "True", reason: "Met", message: `all are met${unreachableNote(seen.withoutAddress)}`, observedGeneration }
          : { type: "DependenciesReady", status: "False", reason: "Waiting", message: waiting.map((each) => each.message).join("; ").slice(0, 1000), observedGeneration },
      { type: "Started", status: flag(outline.started), reason: outline.started ? "Running" : outline.phase, message: outline.started ? "its process runs" : outline.message, observedGeneration },
      { type: "Completed", status: flag(outline.completed), reason: outline.completed ? "Completed" : outline.phase, message: outline.completed ? outline.message : "has not ended with exit code 0", observedGeneration },
      { type: "Ready", status: outline.ready ?? "False", reason: outline.reason, message: outline.message, observedGeneration },
    ],
    afterMs: outline.afterMs,
  };
}

/** A dependency that is Ready and cannot be reached is no fault of either, and somebody will look for it. */
function unreachableNote(names: readonly string[]): string {
  return names.length === 0 ? "" : `; from here nothing leads to ${names.join(", ")} (another Node, or another network on this one), so no variable tells where it is`;
}

function endpoints(service: Service, workspace: Workspace | undefined): Pick<ServiceStatus, "endpoints" | "url" | "nodeName"> {
  const list = portsOf(service.spec).flatMap(({ name, port, appProtocol }) => {
    const mapped = workspace?.status?.ports?.find((each) => each.port === port);
    return mapped === undefined ? [] : [{ name, port, nodePort: mapped.nodePort, url: `${appProtocol}://127.0.0.1:${mapped.nodePort}` }];
  });
  return { nodeName: workspace?.status?.nodeName, endpoints: list.length > 0 ? list : undefined, url: list[0]?.url };
}

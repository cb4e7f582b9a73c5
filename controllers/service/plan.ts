import { assert } from "../../src/base/assert.ts";
import { timestamp } from "../../src/base/clock.ts";
import { findCondition } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Service, ServiceStatus } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { keep, unmetDependencies } from "./outline.ts";
import { goingDown, planDown, planTerminate, serviceFinalizer, unknownRetryMs } from "./plan-down.ts";
import { restartDelayMs } from "./restart-delay.ts";
import { exitFacts, runFacts, steadyMs, type Exited, type Running } from "./run-facts.ts";
import type { ServiceObservation } from "./service-observation.ts";
import type { ServicePlan, ServiceStep } from "./service-plan.ts";
import type { Run } from "./supervisor.ts";

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
  assert(seen.runs.kind !== "ending", "an instance ends only with a workspace that is on its way down");
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

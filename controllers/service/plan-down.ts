import { isDeleting } from "../../src/api/meta.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { keep } from "./outline.ts";
import { exitFacts, runFacts, type Running } from "./run-facts.ts";
import type { ServiceObservation } from "./service-observation.ts";
import type { ServicePlan } from "./service-plan.ts";
import type { Run } from "./supervisor.ts";

export const serviceFinalizer = "vendetta.dev/service";

/** What could not be asked is asked again this often: nobody else may notice that it answers. */
export const unknownRetryMs = 3000;

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

export function planDown(service: Service, seen: ServiceObservation, why: string): ServicePlan {
  const deleting = isDeleting(service);
  if (deleting && !(service.metadata.finalizers ?? []).includes(serviceFinalizer)) return keep(service, seen, { phase: "Stopped", reason: "Deleted", message: "deleted" });
  if (seen.runs.kind === "unknown") {
    // Nobody starts a service of a workspace on its way down: what has been seen to be stopped still is, and the instance goes next.
    if (!deleting && service.status?.phase === "Stopped") return keep(service, seen, { phase: "Stopped", reason: why, message: describeDown(why), afterMs: unknownRetryMs });
    return keep(service, seen, { phase: "Unknown", ready: "Unknown", reason: seen.runs.reason, message: `cannot stop it: ${seen.runs.message}`, afterMs: unknownRetryMs });
  }
  if (seen.runs.kind === "ending") return keep(service, seen, { phase: "Stopping", reason: why, message: "its instance is being stopped, and it ends with it", afterMs: unknownRetryMs });
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

/** SIGTERM, the grace, then SIGKILL: each only once it is due, told by the time on record in the instance. */
export function planTerminate(service: Service, seen: ServiceObservation, run: Run, state: Running, why: string, message: string): ServicePlan {
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

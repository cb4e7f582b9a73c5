import { findCondition } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Instance } from "../../src/providers/provider.ts";
import type { Eviction } from "./eviction.ts";
import { cameBack, consoleHint, noLongerRuns, outline } from "./outline.ts";
import { planDisks } from "./plan-disks.ts";
import { calmMs, calmMsLeft, planStart, settleMsLeft, timesInARow } from "./plan-start.ts";
import { planSnapshots, type SnapshotsPlan } from "./plan-snapshots.ts";
import type { WorkspaceObservation, WorkspacePlan, WorkspaceStep } from "./workspace-plan.ts";

export const workspaceFinalizer = "vendetta.dev/workspace";

/** Services are given this long beyond their own grace before their instance is stopped under them. */
const servicesSlackMs = 10_000;

/** What should be done next for a Workspace that has its finalizer and its Node. Pure. */
export function planWorkspace(workspace: Workspace, seen: WorkspaceObservation): WorkspacePlan {
  if (seen.instance.kind === "unknown") {
    const { reason, message } = seen.instance;
    return outline(workspace, { phase: "Unknown", ready: "Unknown", reason, message, acted: false });
  }
  const { instance } = seen.instance;
  if (isDeleting(workspace)) return planDelete(workspace, seen, instance);
  const snapshots = planSnapshots(workspace, seen.snapshots, seen.now);
  return withSnapshots(snapshots, planInstance(workspace, seen, instance, snapshots));
}

function planInstance(workspace: Workspace, seen: WorkspaceObservation, instance: Instance | undefined, snapshots: SnapshotsPlan): WorkspacePlan {
  const { eviction } = seen;
  if (instance === undefined) {
    if (eviction?.kind === "move") return planPlaceElsewhere(workspace, eviction);
    return mustStop(workspace, seen) ? stopped(workspace, "nothing has been made yet", eviction) : planCreate(workspace);
  }
  if (instance.state === "broken") {
    const message = `the instance cannot be used and is made anew: ${instance.problems.join("; ")}`;
    return outline(workspace, { phase: "Recreating", reason: "Broken", message, steps: [{ do: "announce", type: "Warning", reason: "Broken", message }, { do: "destroy", volumes: false }], lookAgain: true, acted: false, facts: cameBack(workspace) });
  }
  if (instance.state === "paused") return planResume(workspace, instance);
  // First, as whatever comes next may change the disk, or take it away.
  if (snapshots.steps.length > 0) return meanwhile(workspace, snapshots.steps);
  if (eviction?.kind === "move") return planMove(workspace, seen, instance, eviction);
  if (snapshots.restore !== undefined && instance.specHash === seen.specHash) return planRestore(workspace, seen, instance, snapshots.restore);
  const isSame = instance.specHash === seen.specHash;
  const growth = isSame ? planDisks(seen.disks, instance) : undefined;
  if (mustStop(workspace, seen)) {
    if (instance.state === "running") return planStop(workspace, seen);
    return growth === undefined ? stopped(workspace, "its disk is kept", eviction) : meanwhile(workspace, [growth]);
  }
  if (!isSame) return planRecreate(workspace, seen, instance);
  // Before it is started, so that its boot finds it.
  if (growth !== undefined) return meanwhile(workspace, [growth]);
  if (instance.state !== "running") return planStart(workspace, seen, instance);
  // The start on record is one that was entered: after a restart of the server nobody has to wait for it again.
  if (instance.awaitsEntry === true && workspace.status?.startId !== instance.startId) return planEntry(workspace);
  const settleMs = settleMsLeft(workspace, instance, seen.now);
  return settleMs > 0 ? planSettle(workspace, settleMs) : running(workspace, instance, seen.now);
}

/** Not to run now, whatever the reason. */
function mustStop({ spec }: Workspace, { eviction }: WorkspaceObservation): boolean {
  return spec.state === "Stopped" || eviction !== undefined;
}

function planCreate(workspace: Workspace): WorkspacePlan {
  const lost = workspace.status?.startId !== undefined && workspace.status.phase !== "Recreating";
  const steps: WorkspaceStep[] = lost
    ? [{ do: "announce", type: "Warning", reason: "InstanceLost", message: `${workspace.status!.instanceId} is gone without vendetta's doing; making it anew` }, { do: "create" }]
    : [{ do: "create" }];
  return outline(workspace, {
    phase: "Creating", reason: "Creating", message: "its instance is being made", steps, lookAgain: true, acted: false,
    facts: lost ? cameBack(workspace) : noLongerRuns,
  });
}

/** It runs, and that is not enough. */
function planEntry(workspace: Workspace): WorkspacePlan {
  return outline(workspace, { phase: "Starting", reason: "Starting", message: `its instance runs, and is waited for until it can be worked in${consoleHint(workspace)}`, steps: [{ do: "start" }], lookAgain: true, acted: false });
}

/** It runs, and may end in a moment as it did before. */
function planSettle(workspace: Workspace, settleMs: number): WorkspacePlan {
  const { lastEnd } = workspace.status ?? {};
  const before = (lastEnd?.inARow ?? 0) === 0 ? "" : `; before it ${lastEnd!.message}${timesInARow(lastEnd!.inARow)}`;
  return outline(workspace, { phase: "Starting", reason: "Settling", message: `its instance runs, and counts once it has stayed up for a moment${before}`, facts: { lastEnd, nextRetryTime: undefined }, afterMs: settleMs, acted: false });
}

/** Nothing in it has ended: its services are as they were once it goes on, also to be stopped in order. */
function planResume(workspace: Workspace, instance: Instance): WorkspacePlan {
  const message = `${instance.id} was paused without vendetta's doing; letting it go on`;
  return outline(workspace, { phase: "Starting", reason: "Paused", message, steps: [{ do: "announce", type: "Warning", reason: "Paused", message }, { do: "start" }], lookAgain: true, acted: false });
}

function running(workspace: Workspace, instance: Instance, now: number): WorkspacePlan {
  const { startId, startedAt, address, remarks = [] } = instance;
  const { restarts = 0, lastEnd } = workspace.status ?? {};
  const counts = (lastEnd?.inARow ?? 0) > 0;
  const leftMs = counts ? calmMsLeft(workspace, now) : undefined;
  return outline(workspace, {
    phase: "Running", ready: "True", reason: "Running", message: `${instance.id} runs`, acted: true,
    facts: { startId, startedAt, address, remarks: remarks.length === 0 ? undefined : [...remarks], restarts, failures: undefined, nextRetryTime: undefined, ...(leftMs === 0 ? { lastEnd: { ...lastEnd!, inARow: 0 } } : {}) },
    // Only now it is written that it runs: the next look tells for how long that must go on.
    ...(leftMs === undefined || leftMs === 0 ? {} : { afterMs: Math.min(leftMs, calmMs) }),
  });
}

/** Its services go first, in their order; the wait for them has a bound. */
function planStop(workspace: Workspace, seen: WorkspaceObservation): WorkspacePlan {
  const waiting = servicesWait(workspace, seen, "Stopping", "Stopping");
  if (waiting !== undefined) return waiting;
  return outline(workspace, { phase: "Stopping", reason: "Stopping", message: "its instance is being stopped", steps: [{ do: "stop" }], lookAgain: true, acted: false, facts: noLongerRuns });
}

function planRecreate(workspace: Workspace, seen: WorkspaceObservation, instance: Instance): WorkspacePlan {
  if (workspace.status?.phase !== "Recreating") {
    const own = workspace.spec.provider === "host" ? ["its directory"] : [];
    const kept = workspace.spec.mounts.filter((mount) => mount.volume !== undefined || mount.hostPath !== undefined).map((mount) => mount.path).concat(own);
    const message = `the instance is going to be made anew (${seen.difference}); ${kept.length > 0 ? `kept: ${kept.join(", ")}; everything else in it is lost` : "everything in it is lost, as no mount keeps anything"}`;
    // The phase is on record before anything is done: it is what tells the services to stop.
    return outline(workspace, { phase: "Recreating", reason: "Recreating", message, steps: [{ do: "announce", type: "Normal", reason: "Recreating", message }], lookAgain: true, acted: false });
  }
  if (instance.state === "running") {
    const waiting = servicesWait(workspace, seen, "Recreating", "Recreating");
    if (waiting !== undefined) return waiting;
  }
  return outline(workspace, {
    phase: "Recreating", reason: "Recreating", message: `its instance is being made anew (${seen.difference})`, lookAgain: true, acted: false,
    steps: [...(instance.state === "running" ? [{ do: "stop" } as const] : []), { do: "destroy", volumes: false }],
    facts: noLongerRuns,
  });
}

/** As for re-creation, but that it is the same instance, with the disk it had. */
function planRestore(workspace: Workspace, seen: WorkspaceObservation, instance: Instance, snapshot: string): WorkspacePlan {
  if (workspace.status?.phase !== "Restoring") {
    const message = `its disk is going to be put back to snapshot ${snapshot}; what was written to it since is lost`;
    return outline(workspace, { phase: "Restoring", reason: "Restoring", message, steps: [{ do: "announce", type: "Normal", reason: "Restoring", message }], lookAgain: true, acted: false });
  }
  if (instance.state === "running") {
    const waiting = servicesWait(workspace, seen, "Restoring", "Restoring");
    if (waiting !== undefined) return waiting;
  }
  return outline(workspace, {
    phase: "Restoring", reason: "Restoring", message: `its disk is being put back to snapshot ${snapshot}`, lookAgain: true, acted: false, facts: noLongerRuns,
    steps: [...(instance.state === "running" ? [{ do: "stop" } as const] : []), { do: "restore", snapshot }],
  });
}

/** Nothing changes for whoever works in it. */
function meanwhile(workspace: Workspace, steps: readonly WorkspaceStep[]): WorkspacePlan {
  const { phase = "Pending", conditions } = workspace.status ?? {};
  const { status, reason, message, observedGeneration } = findCondition(conditions, "Ready") ?? { status: "False", reason: "Preparing", message: "its disks are being seen to" };
  const condition = { type: "Ready", status, reason, message, ...(observedGeneration === undefined ? {} : { observedGeneration }) } as const;
  return { steps, status: { phase }, condition, moreConditions: [], lookAgain: true, afterMs: undefined };
}

function withSnapshots({ status, conditions, afterMs }: SnapshotsPlan, plan: WorkspacePlan): WorkspacePlan {
  const sooner = afterMs === undefined ? plan.afterMs : Math.min(plan.afterMs ?? Infinity, afterMs);
  return { ...plan, status: { ...status, ...plan.status }, moreConditions: conditions, afterMs: sooner };
}

/** As for re-creation, and then it has no instance here. What is kept stays: nobody can take it along. */
function planMove(workspace: Workspace, seen: WorkspaceObservation, instance: Instance, { reason, why }: Eviction): WorkspacePlan {
  if (workspace.status?.phase !== "Moving") {
    const message = `${why}: it is going to be made anew on another Node; what is only on its disk is lost`;
    return outline(workspace, { phase: "Moving", reason, message, steps: [{ do: "announce", type: "Normal", reason: "Moving", message }], lookAgain: true, acted: false });
  }
  if (instance.state === "running") {
    const waiting = servicesWait(workspace, seen, "Moving", reason);
    if (waiting !== undefined) return waiting;
  }
  return outline(workspace, {
    phase: "Moving", reason, message: `${why}: its instance is being removed`, lookAgain: true, acted: false, facts: noLongerRuns,
    steps: [...(instance.state === "running" ? [{ do: "stop" } as const] : []), { do: "destroy", volumes: false }],
  });
}

function planPlaceElsewhere(workspace: Workspace, { reason, why }: Eviction): WorkspacePlan {
  return outline(workspace, { phase: "Moving", reason, message: `${why}: it is being placed on another Node`, steps: [{ do: "move", why }], lookAgain: false, acted: false, facts: noLongerRuns });
}

function planDelete(workspace: Workspace, seen: WorkspaceObservation, instance: Instance | undefined): WorkspacePlan {
  if (instance?.state === "running") {
    const waiting = servicesWait(workspace, seen, "Deleting", "Deleting");
    if (waiting !== undefined) return waiting;
  }
  const left = (workspace.status?.leftBehind ?? []).map((each) => `Node "${each.nodeName}"`);
  if (left.length > 0) {
    const message = `its removal waits for ${left.join(", ")}, where an instance of it was left: it is removed there when the Node answers again, or given up with 'vendetta node forget'`;
    const steps: WorkspaceStep[] = instance === undefined ? [] : [...(instance.state === "running" ? [{ do: "stop" } as const] : []), { do: "destroy", volumes: false }];
    return outline(workspace, { phase: "Deleting", reason: "LeftBehind", message, steps, lookAgain: instance !== undefined, acted: false, facts: noLongerRuns });
  }
  const steps: WorkspaceStep[] = [...(instance?.state === "running" ? [{ do: "stop" } as const] : []), { do: "destroy", volumes: true }, { do: "finish" }];
  return outline(workspace, { phase: "Deleting", reason: "Deleting", message: "its instance is being removed", steps, acted: false, facts: noLongerRuns });
}

function servicesWait(workspace: Workspace, seen: WorkspaceObservation, phase: "Stopping" | "Recreating" | "Restoring" | "Moving" | "Deleting", reason: string): WorkspacePlan | undefined {
  const { names, graceSeconds } = seen.running;
  if (names.length === 0) return undefined;
  // Counted from when the stop was asked for; the Ready condition has on record when it ended to be true.
  const ready = workspace.status?.conditions?.find((each) => each.type === "Ready");
  const { deletionTimestamp } = workspace.metadata;
  const since = deletionTimestamp !== undefined ? Date.parse(deletionTimestamp) : workspace.status?.phase === phase && ready !== undefined ? Date.parse(ready.lastTransitionTime) : seen.now;
  const leftMs = since + graceSeconds * 1000 + servicesSlackMs - seen.now;
  if (leftMs <= 0) return undefined;
  return outline(workspace, { phase, reason, message: `waiting for its services to stop: ${names.join(", ")}`, acted: false, afterMs: leftMs });
}

function stopped(workspace: Workspace, what: string, eviction: Eviction | undefined): WorkspacePlan {
  const asked = workspace.spec.state === "Stopped";
  const cause = asked && eviction?.refusal === undefined ? undefined : eviction;
  const message = cause === undefined
    ? `stopped; ${what}`
    : `stopped, as ${cause.why}; ${what}${cause.refusal === undefined ? "" : `, as it cannot be moved: ${cause.refusal}`}${asked ? "" : "; it is started again when that is over"}`;
  return outline(workspace, { phase: "Stopped", reason: cause?.reason ?? "Stopped", message, acted: true, facts: { ...noLongerRuns, failures: undefined, nextRetryTime: undefined } });
}

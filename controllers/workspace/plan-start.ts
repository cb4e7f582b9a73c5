import { timestamp } from "../../src/base/clock.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Instance } from "../../src/providers/provider.ts";
import { neededMs, restartDelayMs, restartDelayMsMax } from "../service/restart-delay.ts";
import { cameBack, consoleHint, noLongerRuns, outline } from "./outline.ts";
import { adviceOf, howItEnded } from "./why-ended.ts";
import type { WorkspaceObservation, WorkspacePlan, WorkspaceStep } from "./workspace-plan.ts";

/** Running for as long wipes the count of ends in a row. */
export const calmMs = 60_000;

/** It does not run and is to: at once, or later when it has ended again and again. */
export function planStart(workspace: Workspace, seen: WorkspaceObservation, instance: Instance): WorkspacePlan {
  if (seen.end !== undefined) return planEnded(workspace, seen, instance, seen.end.lastLines);
  const leftMs = waitMsLeft(workspace, seen.now);
  if (leftMs > 0) {
    const { reason, message } = findCondition(workspace.status?.conditions, "Ready")!;
    return backOff(workspace, { reason, message, afterMs: leftMs });
  }
  const { lastEnd } = workspace.status ?? {};
  const again = (lastEnd?.inARow ?? 0) > 0 ? ` again: it ${lastEnd!.message}${timesInARow(lastEnd!.inARow)}` : "";
  return outline(workspace, {
    phase: "Starting", reason: "Starting", message: `its instance is being started${again}${consoleHint(workspace)}`, steps: [{ do: "start" }], lookAgain: true, acted: false,
    facts: { ...noLongerRuns, lastEnd, nextRetryTime: undefined },
  });
}

/** It has been started, and nobody here stopped it. */
function planEnded(workspace: Workspace, { now }: WorkspaceObservation, instance: Instance, lastLines: readonly string[]): WorkspacePlan {
  const how = howItEnded(instance, lastLines);
  const { status } = workspace;
  const inARow = (calmMsLeft(workspace, now) === 0 ? 0 : (status?.lastEnd?.inARow ?? 0)) + 1;
  const delayMs = restartDelayMs(inARow);
  const facts = { ...cameBack(workspace), restarts: (status?.restarts ?? 0) + 1, lastEnd: { message: how, time: timestamp(now), inARow } };
  const announce = (text: string): WorkspaceStep => ({ do: "announce", type: "Warning", reason: "InstanceEnded", message: `${instance.id} ${how}; ${text}` });
  if (delayMs === 0) {
    return outline(workspace, {
      phase: "Starting", reason: "Starting", message: `its instance ${how}; it is being started again${consoleHint(workspace)}`, lookAgain: true, acted: false,
      steps: [announce("starting it again"), { do: "start" }], facts: { ...facts, nextRetryTime: undefined },
    });
  }
  const advice = adviceOf(workspace, instance, lastLines);
  const when = `starting it again ${delayMs / 1000} s after that`;
  return backOff(workspace, {
    reason: "CrashLoopBackOff", message: `its instance ${how}${timesInARow(inARow)}; ${when}; ${advice}`, afterMs: delayMs,
    steps: [announce(`${when}; ${advice}`)], facts: { ...facts, nextRetryTime: timestamp(now + delayMs) },
  });
}

function backOff(workspace: Workspace, more: Pick<Parameters<typeof outline>[1], "reason" | "message" | "afterMs" | "steps" | "facts">): WorkspacePlan {
  const plan = outline(workspace, { ...more, phase: "CrashLoopBackOff", acted: false });
  // Of this generation: another one gets its try at once.
  return { ...plan, condition: { ...plan.condition, observedGeneration: workspace.metadata.generation } };
}

/** Until the next try of this generation; never longer than it was set for, whatever the clock has done since. */
function waitMsLeft({ metadata, status }: Workspace, now: number): number {
  if (status?.phase !== "CrashLoopBackOff" || status.nextRetryTime === undefined) return 0;
  if (findCondition(status.conditions, "Ready")?.observedGeneration !== metadata.generation) return 0;
  const leftMs = Date.parse(status.nextRetryTime) - now;
  return leftMs > restartDelayMsMax ? 0 : Math.max(0, leftMs);
}

/** How much longer it must run until what was before counts no more; 0: it has. Infinity: it does not run, as far as is on record. By the server's clock, as a Node's may be another. */
export function calmMsLeft({ status }: Workspace, now: number): number {
  const ready = findCondition(status?.conditions, "Ready");
  return ready?.status === "True" ? Math.max(0, Date.parse(ready.lastTransitionTime) + calmMs - now) : Infinity;
}

/**
 * How much longer it must stay up until it counts as running, by the server's clock: after the second end in a row, as long as was waited for
 * this start, within bounds. 0: it does. A main command of the user's own may end as soon as it is started, so it is waited for from the first start on.
 */
export function settleMsLeft({ metadata, spec, status }: Workspace, { startId, startedAt }: Instance, now: number): number {
  const { inARow = 0, time } = status?.lastEnd ?? {};
  const ready = findCondition(status?.conditions, "Ready");
  // It counts already.
  if (ready?.status === "True" && status?.startId === startId) return 0;
  const isFirst = spec.docker?.command !== undefined && metadata.generation !== status?.observedGeneration;
  if (inARow <= 1 && !isFirst) return 0;
  const beganMs = inARow > 1 ? Date.parse(time!) + restartDelayMs(inARow) : Date.parse(startedAt ?? "");
  const leftMs = beganMs + neededMs(inARow) - now;
  // A Node's clock may be another.
  return leftMs > 0 && leftMs <= neededMs(inARow) ? leftMs : 0;
}

export function timesInARow(count: number): string {
  return count > 1 ? ` (${count} times in a row)` : "";
}

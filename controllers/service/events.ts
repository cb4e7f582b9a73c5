import { findCondition } from "../../src/api/conditions.ts";
import type { ServiceStatus } from "../../src/api/service.ts";

export interface EventToTell {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** What the difference between two states of a Service is worth telling. Pure. */
export function eventsBetween(old: ServiceStatus | undefined, next: ServiceStatus): readonly EventToTell[] {
  const events: EventToTell[] = [];
  const tell = (type: EventToTell["type"], reason: string, message: string) => void events.push({ type, reason, message });
  const exit = next.lastExit;
  if (exit?.finishedAt !== undefined && (exit.finishedAt !== old?.lastExit?.finishedAt || (next.failures ?? 0) > (old?.failures ?? 0))) {
    if (exit.reason === "Completed") tell("Normal", "Completed", "ended with exit code 0");
    else if (exit.reason === "Stopped") tell("Normal", "Stopped", exit.message ?? "stopped");
    else tell("Warning", exit.reason === "Unhealthy" ? "UnhealthyStopped" : "Exited", exit.message ?? exit.reason);
  }
  if (next.runNumber !== undefined && next.pid !== undefined && (next.runNumber !== old?.runNumber || next.instanceStartId !== old?.instanceStartId)) {
    tell("Normal", "Started", `started as pid ${next.pid}${(next.restarts ?? 0) > 0 ? ` (restart ${next.restarts})` : ""}`);
  }
  const before = findCondition(old?.conditions, "Ready");
  const after = findCondition(next.conditions, "Ready");
  if (after !== undefined && (after.status !== before?.status || after.reason !== before.reason)) {
    if (after.status === "True") tell("Normal", "Ready", after.message);
    else if (after.reason === "CrashLoopBackOff" || after.reason === "Unhealthy") tell("Warning", after.reason, after.message);
    // On its way down, and so is who could tell of it: nothing to warn of.
    else if (after.status === "Unknown" && old?.phase !== "Stopping") tell("Warning", after.reason, after.message);
    else if (after.reason === "DependenciesNotReady") tell("Normal", "Waiting", after.message);
  }
  return events;
}

import { findCondition, type Condition } from "../api/conditions.ts";
import { hasEndedForGood } from "../api/service-end.ts";
import { isRefusedForGood } from "../api/workspace-end.ts";
import type { AnyObject } from "../api/registry.ts";

/** Where an object stands on its way to what was asked of it. */
export interface Verdict {
  readonly done: boolean;
  /** One word or two: a phase, "NotFound". */
  readonly state: string;
  /** Why it is not done; "" when nothing is known. */
  readonly message: string;
  /** It will not be done unless somebody changes it: there is nothing to wait for. */
  readonly final?: boolean;
}

interface Observed {
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly phase?: string | undefined;
}

function observedOf(object: AnyObject): Observed {
  return ("status" in object ? (object.status as Observed | undefined) : undefined) ?? {};
}

/** Whether an object is as its spec wishes: Ready, or ended or stopped where that is what was asked for. */
export function settled(object: AnyObject | undefined): Verdict {
  if (object === undefined) return { done: false, state: "NotFound", message: "does not exist" };
  if (object.metadata.deletionTimestamp !== undefined) return { done: false, state: "Deleting", message: "is being deleted" };
  if (object.kind === "Namespace" || object.kind === "Event") return { done: true, state: "Active", message: "" };
  const { observedGeneration = 0, conditions, phase } = observedOf(object);
  const ready = findCondition(conditions, "Ready");
  // What keeps a Source is one of several things that people do something about.
  const why = object.kind === "Source" && ready?.status !== "True" ? ready?.reason : undefined;
  const state = phase ?? why ?? (ready?.status === "True" ? "Ready" : ready?.status === "Unknown" ? "Unknown" : "Pending");
  if (object.kind === "Workspace" && isRefusedForGood(object)) return { done: false, state, message: ready?.message ?? "", final: true };
  if (observedGeneration < object.metadata.generation) return { done: false, state, message: ready === undefined ? "has not been looked at yet" : ready.status === "True" ? "its latest change has not been acted on yet" : ready.message };
  if (object.kind === "Workspace" && object.spec.state === "Stopped") return { done: phase === "Stopped", state, message: phase === "Stopped" ? "" : (ready?.message ?? "") };
  if (object.kind === "Source" && object.spec.suspend) return { done: ready?.reason === "Suspended", state: "Suspended", message: ready?.reason === "Suspended" ? "" : (ready?.message ?? "") };
  const done = ready?.status === "True" || (object.kind === "Service" && phase === "Completed");
  // What ended badly and is never started again.
  const final = !done && object.kind === "Service" && phase === "Failed" && hasEndedForGood(object);
  return { done, state, message: done ? "" : (ready?.message ?? "has no condition Ready yet"), ...(final ? { final } : {}) };
}

/** Whether a condition has the wished status, of the generation that is wished now. */
export function hasCondition(object: AnyObject | undefined, type: string, status: string): Verdict {
  if (object === undefined) return { done: false, state: "NotFound", message: "does not exist" };
  const { observedGeneration, conditions, phase } = observedOf(object);
  const found = conditions?.find((each) => each.type.toLowerCase() === type.toLowerCase());
  const generation = found?.observedGeneration ?? observedGeneration;
  const current = generation === undefined || generation >= object.metadata.generation;
  const done = current && found?.status.toLowerCase() === status.toLowerCase();
  const message = done ? "" : found === undefined ? `has no condition ${type}` : !current ? "its latest change has not been acted on yet" : found.message;
  return { done, state: phase ?? found?.status ?? "Pending", message };
}

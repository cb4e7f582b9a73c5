import { findCondition } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import type { Workspace } from "../../src/api/workspace.ts";

/** What becomes of a Workspace whose Node may be lost. Times in milliseconds since the epoch. */
export type FailoverPlan =
  /** Nothing is wrong, or nobody asked for it. */
  | { readonly kind: "stay" }
  /** It is placed on another Node at `dueMs`, unless its own is back before. */
  | { readonly kind: "wait"; readonly dueMs: number }
  | { readonly kind: "due"; readonly why: string };

/**
 * After the start of the server each Node gets this long to be looked at before anything is concluded from what is on record of
 * it: that may be as old as the last server's end. Milliseconds.
 */
export const freshLookMs = 30_000;

/**
 * Whether a Workspace is to be made anew elsewhere. Pure.
 * @param node its Node; undefined: it was forgotten, so nobody waits for it
 * @param trustedFromMs from when on what is on record of Nodes counts
 */
export function planFailover(workspace: Workspace, node: Node | undefined, trustedFromMs: number, nowMs: number): FailoverPlan {
  const { failover, state } = workspace.spec;
  if (failover === undefined || isDeleting(workspace)) return { kind: "stay" };
  const nodeName = workspace.status?.nodeName ?? "";
  if (node === undefined) return { kind: "due", why: `Node "${nodeName}" was forgotten` };
  // What is stopped needs no Node now; asked to run, it is looked at again.
  if (state === "Stopped") return { kind: "stay" };
  const ready = findCondition(node.status?.conditions, "Ready");
  if (ready === undefined || ready.status === "True") return { kind: "stay" };
  const dueMs = Math.max(Date.parse(ready.lastTransitionTime) + failover.afterSeconds * 1000, trustedFromMs);
  if (nowMs < dueMs) return { kind: "wait", dueMs };
  // A machine that answers may be unfit for new ones while the instance runs on: what can be asked is not given up.
  if (ready.status === "False" && workspace.status?.phase !== "Unknown") return { kind: "stay" };
  return { kind: "due", why: `Node "${nodeName}" ${ready.status === "Unknown" ? "has not answered" : "has not been Ready"} since ${ready.lastTransitionTime} (${ready.reason}: ${ready.message})` };
}

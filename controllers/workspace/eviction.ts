import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { isTolerated } from "../../src/api/schedule.ts";

/** Its Node lets a Workspace run there no longer. */
export interface Eviction {
  /** move: another Node may take it. stop: it stays, stopped, as long as this holds. */
  readonly kind: "stop" | "move";
  /** For a condition. */
  readonly reason: "NodeDrained" | "NodeTainted";
  /** For people, as a clause. */
  readonly why: string;
  /** Why it is not moved although it may be: nothing else fits now. */
  readonly refusal?: string;
}

/** Whether a Workspace has to leave its Node, or to stop there: a drain, or a taint NoExecute that it does not tolerate. Pure. */
export function evictionOf(workspace: Workspace, node: Node): Eviction | undefined {
  if (isDeleting(workspace)) return undefined;
  const { spec } = workspace;
  const { drain, taints } = node.spec;
  const name = `Node "${node.metadata.name}"`;
  const isPinned = spec.nodeName !== undefined;
  if (drain !== undefined) {
    const move = !isPinned && (drain.move === "Any" || isMovedUnasked(workspace));
    return { kind: move ? "move" : "stop", reason: "NodeDrained", why: `${name} is drained` };
  }
  const taint = taints.find((each) => each.effect === "NoExecute" && !isTolerated(workspace, each));
  if (taint === undefined) return undefined;
  const move = isMovedUnasked(workspace);
  return { kind: move ? "move" : "stop", reason: "NodeTainted", why: `${name} has the taint ${taint.key}${taint.value === "" ? "" : `=${taint.value}`}:${taint.effect}` };
}

/** Its manifest says that it may be made anew elsewhere; and what is stopped does not need to be. */
const isMovedUnasked = ({ spec }: Workspace) => spec.failover !== undefined && spec.state === "Running";

import { TimeoutError } from "../../src/base/clock.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { Node } from "../../src/api/node.ts";
import type { Machine } from "../machines.ts";

/** Why nothing can be said of what is on a Node; undefined when it can be asked, or nobody has tried yet. */
export function whyUnknown(node: Node): string | undefined {
  const ready = findCondition(node.status?.conditions, "Ready");
  return ready?.status === "Unknown" ? `Node "${node.metadata.name}" cannot be asked: ${ready.message}` : undefined;
}

/**
 * Whether a failure says only that a far machine has been silent for a moment. Its connection may live, and the Node's own
 * loop decides when silence is more than that; until then everything stays as it was last seen.
 */
export function isSilence(error: unknown, { remote }: Machine): boolean {
  if (remote === undefined || remote.state.trouble !== undefined) return false;
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof TimeoutError) return true;
  return false;
}

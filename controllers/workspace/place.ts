import { findCondition } from "../../src/api/conditions.ts";
import type { WorkspaceDraft } from "./draft.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import { schedule } from "./schedule.ts";

/** False: no Node fits; a change of a Node or of the Workspace wakes it. */
export async function place(parts: WorkspaceControllerParts, draft: WorkspaceDraft): Promise<boolean> {
  const { nodes, workspaces } = parts;
  const placement = schedule(draft.stored, nodes.list(), (nodeName) => workspaces.byIndex("node", nodeName));
  const generation = draft.stored.metadata.generation;
  if (placement.kind === "unplaced") {
    const reason = "Unschedulable";
    if (findCondition(draft.stored.status?.conditions, "Scheduled")?.message !== placement.message) parts.recorder.event(draft.stored, "Warning", reason, placement.message);
    await draft.write({ phase: "Pending" }, { type: "Scheduled", status: "False", reason, message: placement.message }, { type: "Ready", status: "False", reason, message: placement.message });
    return false;
  }
  await draft.write(
    { phase: "Pending", nodeName: placement.nodeName, instanceId: draft.instanceId },
    { type: "Scheduled", status: "True", reason: "Placed", message: `placed on Node "${placement.nodeName}"`, observedGeneration: generation },
  );
  return true;
}

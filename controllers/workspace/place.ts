import { assert } from "../../src/base/assert.ts";
import { timestamp } from "../../src/base/clock.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { LeftBehind, WorkspaceStatus } from "../../src/api/workspace.ts";
import type { WorkspaceDraft } from "./draft.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import type { Placements } from "./placements.ts";
import { noLongerRuns } from "./outline.ts";
import { schedule, type Placement } from "../../src/api/schedule.ts";

/** Chooses Nodes for Workspaces and writes down what was chosen, in one write, before anything is made there. */
export interface Placer {
  /** Where it could go from where it is now; its own Node is not among the answers. Writes nothing. */
  elsewhere(draft: WorkspaceDraft): Placement;
  /** For one that has no Node. False: none fits, which is on record; a change of a Node or of the Workspace wakes it. */
  place(draft: WorkspaceDraft): Promise<boolean>;
  /** For one whose instance is gone from its Node. False: nothing fits now. */
  move(draft: WorkspaceDraft, why: string): Promise<boolean>;
  /**
   * For one whose Node is lost: what may be left there is on record from the same write on (INV-3).
   * @param isForgotten nobody will ever look there
   * @returns why nothing fits; undefined when it was placed
   */
  failOver(draft: WorkspaceDraft, why: string, isForgotten: boolean): Promise<string | undefined>;
}

export function createPlacer({ nodes, recorder, clock }: WorkspaceControllerParts, placements: Placements): Placer {
  const choose = (draft: WorkspaceDraft, but?: string) => schedule(draft.stored, nodes.list(), placements.on, but);
  const record = (draft: WorkspaceDraft, nodeName: string, reason: string, fields: Partial<WorkspaceStatus> = {}) =>
    placements.during(draft.stored, nodeName, () =>
      draft.write(
        { phase: "Pending", nodeName, instanceId: draft.instanceId, ...fields },
        { type: "Scheduled", status: "True", reason, message: `placed on Node "${nodeName}"`, observedGeneration: draft.stored.metadata.generation },
      ));
  const elsewhere = (draft: WorkspaceDraft) => choose(draft, draft.stored.status?.nodeName);

  return {
    elsewhere,
    async place(draft) {
      const placement = choose(draft);
      if (placement.kind === "placed") {
        await record(draft, placement.nodeName, "Placed");
        return true;
      }
      const reason = "Unschedulable";
      if (findCondition(draft.stored.status?.conditions, "Scheduled")?.message !== placement.message) recorder.event(draft.stored, "Warning", reason, placement.message);
      await draft.write({ phase: "Pending" }, { type: "Scheduled", status: "False", reason, message: placement.message }, { type: "Ready", status: "False", reason, message: placement.message });
      return false;
    },
    async move(draft, why) {
      const placement = elsewhere(draft);
      if (placement.kind === "unplaced") return false;
      const from = draft.stored.status!.nodeName!;
      await record(draft, placement.nodeName, "Moved", noLongerRuns);
      recorder.event(draft.stored, "Normal", "Moved", `moved to Node "${placement.nodeName}", as ${why}${volumesNote(draft, from)}`);
      return true;
    },
    async failOver(draft, why, isForgotten) {
      const placement = elsewhere(draft);
      if (placement.kind === "unplaced") return placement.message;
      const { nodeName: from, instanceId = draft.instanceId, leftBehind = [], restarts = 0 } = draft.stored.status!;
      const left: readonly LeftBehind[] = isForgotten ? leftBehind : [...leftBehind, { nodeName: from!, instanceId, since: timestamp(clock.now()) }];
      assert(!left.some((each) => each.nodeName === placement.nodeName), "INV-3: an instance of it may still be where it is placed");
      const fields = { ...noLongerRuns, restarts: restarts + 1, failures: undefined, nextRetryTime: undefined, leftBehind: left.length === 0 ? undefined : [...left] };
      await record(draft, placement.nodeName, "FailedOver", fields);
      const later = isForgotten ? "what it may have left there, nobody looks after" : `${instanceId} may run on there; it is removed when the Node answers again`;
      recorder.event(draft.stored, "Warning", "FailedOver", `${why}: made anew on Node "${placement.nodeName}"; ${later}${volumesNote(draft, from!)}`);
      return undefined;
    },
  };
}

/** For an event: where its volumes are, when it has some. */
export function volumesNote({ stored }: WorkspaceDraft, nodeName: string): string {
  const names = stored.spec.mounts.flatMap((mount) => mount.volume ?? []);
  const kept = [...(names.length === 0 ? [] : [`${names.length === 1 ? "its volume" : "its volumes"} ${names.join(", ")}`]), ...(stored.spec.provider === "host" ? ["its directory"] : [])];
  return kept.length === 0 ? "" : `; ${kept.join(" and ")} ${kept.length === 1 && names.length < 2 ? "is" : "are"} kept on Node "${nodeName}", as somebody may want what is in ${kept.length === 1 && names.length < 2 ? "it" : "them"}`;
}

import { keyOf } from "../../src/base/keys.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Lister } from "../../src/runtime/lister.ts";

/**
 * Where Workspaces are placed, those included that have just been decided upon: the cache tells of these only when their
 * write has come back, and of twenty that are placed at the same moment each would take the same Node for the emptiest.
 */
export interface Placements {
  readonly on: (nodeName: string) => readonly Workspace[];
  /** Counts the Workspace as placed there from now until `record`, which writes it down, has ended. */
  during<T>(workspace: Workspace, nodeName: string, record: () => Promise<T>): Promise<T>;
}

/** @param workspaces with the index "node" */
export function createPlacements(workspaces: Lister<"Workspace">): Placements {
  const decided = new Map<string, { readonly workspace: Workspace; readonly nodeName: string }>();
  return {
    on(nodeName) {
      const known = workspaces.byIndex("node", nodeName);
      const more = [...decided.values()].filter((each) => each.nodeName === nodeName && workspaces.byKey(keyOf(each.workspace))?.status?.nodeName !== nodeName);
      return more.length === 0 ? known : [...known, ...more.map((each) => each.workspace)];
    },
    async during(workspace, nodeName, record) {
      decided.set(workspace.metadata.uid, { workspace, nodeName });
      try {
        return await record();
      } finally {
        decided.delete(workspace.metadata.uid);
      }
    },
  };
}

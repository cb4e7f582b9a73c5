import { isTrue } from "../../src/api/conditions.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { instanceId, type Instance } from "../../src/providers/provider.ts";

/** An instance nobody owns is left alone this long: its Workspace may have been made a moment after the listing. */
export const orphanGraceMs = 30_000;

export interface OrphanPlan {
  /** When each orphan was first seen, by instance id; hand it in again next time. Milliseconds. */
  readonly since: ReadonlyMap<string, number>;
  /** Orphans whose grace is over. */
  readonly remove: readonly Instance[];
}

/**
 * Which instances of our cluster have no Workspace, or are not the one that their Workspace's loop looks after (somebody gave
 * it another name, INV-3). Pure. `listed` must be a listing that succeeded (INV-5), and `owned`
 * the uids of all Workspaces in the store (without those that have another instance elsewhere, `isStray`), read after it, and of those
 * that were on the Node before it: an owner younger than the listing is then no stranger, nor one that went while it was made.
 */
export function planOrphans(listed: readonly Instance[], owned: ReadonlySet<string>, since: ReadonlyMap<string, number>, nowMs: number): OrphanPlan {
  const next = new Map<string, number>();
  const remove: Instance[] = [];
  for (const instance of listed) {
    if (owned.has(instance.owner.uid) && instance.id === instanceId(instance.owner)) continue;
    const first = since.get(instance.id) ?? nowMs;
    next.set(instance.id, first);
    if (nowMs - first >= orphanGraceMs) remove.push(instance);
  }
  return { since: next, remove };
}

/**
 * Whether an instance found on a Node is one that its Workspace has left without a record of it, its Node having been forgotten: the Workspace
 * runs on another Node, and as another start. That both are told apart by their starts leaves two Nodes of one engine alone. Pure.
 */
export function isStray({ status }: Workspace, nodeName: string, { startId }: Instance): boolean {
  if (status?.nodeName === undefined || status.nodeName === nodeName || !isTrue(status.conditions, "Ready")) return false;
  return status.leftBehind?.some((each) => each.nodeName === nodeName) !== true && status.startId !== undefined && status.startId !== startId;
}

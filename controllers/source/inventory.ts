import type { AnyObject } from "../../src/api/registry.ts";
import { sourceObjectsMax, type InventoryEntry } from "../../src/api/source.ts";
import { assert } from "../../src/base/assert.ts";
import type { CarriedOut } from "./carry-out.ts";
import type { SourceObservation } from "./plan.ts";
import { refKey, type SourceStep } from "./steps.ts";

/** What is on record after the steps: what is wanted, what could not be made to go, and never what was let go of. */
export function nextInventory(claims: readonly InventoryEntry[], steps: readonly SourceStep[], seen: SourceObservation, { applied, pruned }: CarriedOut): readonly InventoryEntry[] {
  const entries = new Map(claims.map((each) => [refKey(each), each]));
  const released = new Set(steps.flatMap((step) => (step.do === "release" ? [refKey(step.ref)] : [])));
  const unsettled = new Set(steps.flatMap((step) => (step.do === "create" || step.do === "configure" || step.do === "revert" || step.do === "adopt" || step.do === "await" ? [refKey(step.wanted)] : [])));
  const wanted = seen.wanted.map((each): InventoryEntry => {
    const key = refKey(each);
    const now: AnyObject | undefined = applied.get(key) ?? seen.live.get(key);
    const isAsWanted = applied.has(key) || !unsettled.has(key);
    const { kind, namespace, name } = each;
    // One that others have deleted, and that is left so, is still known by what was applied.
    const { uid = entries.get(key)?.uid } = now?.metadata ?? {};
    return { kind, ...(namespace === undefined ? {} : { namespace }), name, ...(uid === undefined ? {} : { uid }), hash: isAsWanted ? each.hash : "" };
  });
  const keys = new Set(wanted.map(refKey));
  const left = claims.filter((entry) => {
    const key = refKey(entry);
    const live = seen.live.get(key);
    return !keys.has(key) && !pruned.has(key) && !released.has(key) && live !== undefined && live.metadata.deletionTimestamp === undefined && entry.kind !== "Namespace";
  });
  const inventory = [...wanted, ...left].sort((a, b) => (refKey(a) < refKey(b) ? -1 : 1));
  assert(new Set(inventory.map(refKey)).size === inventory.length, "an object is twice in an inventory");
  assert(wanted.length <= sourceObjectsMax, "a Source has more objects than its record has room for");
  return inventory;
}

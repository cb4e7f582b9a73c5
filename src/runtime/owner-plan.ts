import { foregroundFinalizer, orphanFinalizer, type DeletionPropagation } from "../api/deletion.ts";
import { isDeleting, type OwnerReference, type StoredObject } from "../api/meta.ts";

/** What is known of an owner that an object names. */
export type OwnerState =
  /** It is there, or cannot be looked up: what we do not know we cannot call gone (INV-5). */
  | "solid"
  /** It is being deleted in the foreground: it waits for its dependents. */
  | "waiting"
  /** The store has no object of that kind, name and uid. */
  | "gone";

/** One thing to do. Each is made on the object as it was seen, and is refused when it has changed since. */
export type OwnerStep =
  | { readonly do: "delete"; readonly object: StoredObject; readonly propagation: DeletionPropagation | undefined }
  /** Replaces the object's owner references. */
  | { readonly do: "reown"; readonly object: StoredObject; readonly ownerReferences: readonly OwnerReference[] }
  /** Takes a finalizer off. */
  | { readonly do: "release"; readonly object: StoredObject; readonly finalizer: string };

export interface OwnerGraph {
  readonly objects: readonly StoredObject[];
  /** The state of an owner that the object names. */
  ownerState(owner: OwnerReference, dependent: StoredObject): OwnerState;
  /** Whether `objects` was read after this owner was seen waiting, so that no dependent of its is missing in it. */
  sawAll(owner: StoredObject): boolean;
}

/** Whether deletion of the object waits until its dependents have been seen to, and for which of the two reasons. */
export function awaitsDependents(object: StoredObject, finalizer?: typeof foregroundFinalizer | typeof orphanFinalizer): boolean {
  if (!isDeleting(object)) return false;
  const finalizers = object.metadata.finalizers ?? [];
  return finalizer === undefined ? finalizers.includes(foregroundFinalizer) || finalizers.includes(orphanFinalizer) : finalizers.includes(finalizer);
}

/**
 * What to do so that dependents follow their owners. Pure, and enough to be asked again and again: carrying out the steps of one
 * answer may make room for those of the next.
 * Source: Kubernetes' garbage collector (attemptToDeleteItem, processDeletingDependentsItem, orphanDependents).
 */
export function planOwners({ objects, ownerState, sawAll }: OwnerGraph): readonly OwnerStep[] {
  const dependents = new Map<string, StoredObject[]>();
  for (const object of objects) {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const known = dependents.get(uid);
      if (known === undefined) dependents.set(uid, [object]);
      else if (known.at(-1) !== object) known.push(object);
    }
  }
  const dependentsOf = (object: StoredObject): readonly StoredObject[] => dependents.get(object.metadata.uid) ?? [];
  const steps: OwnerStep[] = [];
  const orphans = new Set<StoredObject>();
  for (const owner of objects) {
    if (awaitsDependents(owner, orphanFinalizer)) {
      for (const object of dependentsOf(owner)) {
        // One step an object: a second would be refused as made on an old state.
        if (!orphans.has(object)) steps.push({ do: "reown", object, ownerReferences: without(object, (each) => each.uid === owner.metadata.uid) });
        orphans.add(object);
      }
      if (dependentsOf(owner).length === 0 && sawAll(owner)) steps.push({ do: "release", object: owner, finalizer: orphanFinalizer });
    } else if (awaitsDependents(owner, foregroundFinalizer)) {
      const blocking = dependentsOf(owner).some((object) => (object.metadata.ownerReferences ?? []).some((each) => each.uid === owner.metadata.uid && each.blockOwnerDeletion === true));
      if (!blocking && sawAll(owner)) steps.push({ do: "release", object: owner, finalizer: foregroundFinalizer });
    }
  }
  for (const object of objects) {
    if (!orphans.has(object)) steps.push(...planDependent(object, (owner) => ownerState(owner, object), dependentsOf));
  }
  return steps;
}

function planDependent(object: StoredObject, stateOf: (owner: OwnerReference) => OwnerState, dependentsOf: (object: StoredObject) => readonly StoredObject[]): readonly OwnerStep[] {
  const owners = object.metadata.ownerReferences ?? [];
  if (owners.length === 0) return [];
  const states = owners.map(stateOf);
  const waiting = states.includes("waiting");
  if (isDeleting(object)) {
    // Those that wait for each other would do so for ever.
    const circle = waiting && owners.some((each) => each.blockOwnerDeletion === true) && waitsForItself(object, dependentsOf);
    return circle ? [{ do: "reown", object, ownerReferences: owners.map((each) => ({ ...each, blockOwnerDeletion: false })) }] : [];
  }
  if (states.includes("solid")) {
    const lost = new Set(owners.filter((_, i) => states[i] !== "solid"));
    return lost.size === 0 ? [] : [{ do: "reown", object, ownerReferences: without(object, (each) => lost.has(each)) }];
  }
  // Without a wish of ours the object's own finalizers say how.
  return [{ do: "delete", object, propagation: waiting && dependentsOf(object).length > 0 ? "Foreground" : undefined }];
}

function waitsForItself(object: StoredObject, dependentsOf: (object: StoredObject) => readonly StoredObject[]): boolean {
  const seen = new Set<StoredObject>();
  const left = [object];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    if (!awaitsDependents(at, foregroundFinalizer)) continue;
    for (const dependent of dependentsOf(at)) {
      if (dependent === object) return true;
      if (!seen.has(dependent)) left.push(dependent);
      seen.add(dependent);
    }
  }
  return false;
}

function without(object: StoredObject, gone: (owner: OwnerReference) => boolean): readonly OwnerReference[] {
  return (object.metadata.ownerReferences ?? []).filter((each) => !gone(each));
}

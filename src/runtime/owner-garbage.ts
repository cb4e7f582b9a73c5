import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { foregroundFinalizer } from "../api/deletion.ts";
import type { OwnerReference, StoredObject } from "../api/meta.ts";
import { isKindName, isStored, kindFor, kinds, storedKindNames, type KindName } from "../api/registry.ts";
import { isConflict, isNotFound } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import { awaitsDependents, planOwners, type OwnerState, type OwnerStep } from "./owner-plan.ts";
import type { Runnable } from "./runnable.ts";

/** Everything is looked at this often, and at once when a change may call for something. */
const intervalMs = 30_000;
/** At least this long between two looks. */
const againMs = 50;

/** A change as an informer tells it. */
interface OwnerChange {
  readonly type: "added" | "changed" | "removed";
  readonly object: StoredObject;
  readonly old: StoredObject | undefined;
}

export interface OwnerGarbageParts {
  readonly store: Pick<Store, "list" | "get" | "delete" | "patch">;
  /** Whose changes wake it. Kinds that have none are seen to every half a minute. */
  readonly informers: readonly { onChange(listener: (change: OwnerChange) => void): void }[];
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Lets dependents follow their owners: deletes objects all of whose owners are gone, lets those deleted in the foreground wait for
 * their dependents, and takes owner references off where dependents are to stay. An owner counts as gone when the store itself,
 * not a cache, has no object of that name with that uid. What is decided is in owner-plan.ts.
 */
export function createOwnerGarbage({ store, informers, clock, log }: OwnerGarbageParts): Runnable {
  /** Ends a pause that a change may end. */
  let wake: (() => void) | undefined;
  let woken = false;
  /** uids that some object names as an owner's, so that the going of any other object costs nothing. */
  let owners = new Set<string>();
  for (const informer of informers) {
    informer.onChange((change) => {
      for (const { uid } of change.object.metadata.ownerReferences ?? []) owners.add(uid);
      if (!matters(change, owners)) return;
      woken = true;
      wake?.();
    });
  }

  const list = async (): Promise<StoredObject[]> => {
    const objects: StoredObject[] = [];
    const seen = new Set<string>();
    owners = seen;
    for (const kind of storedKindNames) {
      for (const object of (await store.list(kind)).items) {
        objects.push(object);
        for (const { uid } of object.metadata.ownerReferences ?? []) seen.add(uid);
      }
    }
    return objects;
  };

  /** Whether something was done, or refused because the object has changed: then it is worth looking again at once. */
  const sweep = async (): Promise<boolean> => {
    let objects = await list();
    const waiting = new Set(objects.filter((each) => awaitsDependents(each)).map((each) => each.metadata.uid));
    if (waiting.size > 0) objects = await list();
    const states = await ownerStates(objects);
    let again = false;
    for (const step of planOwners({ objects, ownerState: (owner, dependent) => states.get(stateKey(owner, dependent))!, sawAll: (owner) => waiting.has(owner.metadata.uid) })) {
      try {
        await carryOut(step);
        again = true;
      } catch (error) {
        if (isConflict(error)) again = true;
        // One object that cannot be written keeps no other from being seen to.
        else if (!isNotFound(error)) log.warn("an object cannot follow its owners", { ...placeOf(step.object), step: step.do, error: messageOf(error) });
      }
    }
    return again;
  };

  const ownerStates = async (objects: readonly StoredObject[]): Promise<ReadonlyMap<string, OwnerState>> => {
    const byUid = new Map(objects.map((each) => [each.metadata.uid, each]));
    const states = new Map<string, OwnerState>();
    for (const object of objects) {
      for (const owner of object.metadata.ownerReferences ?? []) {
        const key = stateKey(owner, object);
        if (!states.has(key)) states.set(key, await ownerState(owner, object, byUid.get(owner.uid)));
      }
    }
    return states;
  };

  const ownerState = async (owner: OwnerReference, { metadata }: StoredObject, found: StoredObject | undefined): Promise<OwnerState> => {
    const kind = kindFor(owner.apiVersion, owner.kind);
    // What we do not know, or do not keep, we cannot call gone (INV-5).
    if (kind === undefined || !isStored(kind)) return "solid";
    const clustered = kinds[kind].scope === "Cluster";
    // An object without a namespace cannot say in which one its owner is.
    if (!clustered && metadata.namespace === undefined) return "solid";
    const namespace = clustered ? undefined : metadata.namespace;
    if (found !== undefined && found.kind === kind && found.metadata.name === owner.name && found.metadata.namespace === namespace) {
      return awaitsDependents(found, foregroundFinalizer) ? "waiting" : "solid";
    }
    try {
      return (await store.get(kind, { namespace, name: owner.name })).metadata.uid === owner.uid ? "solid" : "gone";
    } catch (error) {
      if (isNotFound(error)) return "gone";
      throw error;
    }
  };

  const carryOut = async (step: OwnerStep): Promise<void> => {
    const { metadata } = step.object;
    const kind = kindOf(step.object);
    const { uid, resourceVersion } = metadata;
    switch (step.do) {
      case "delete":
        log.info("deleting an object whose owners are gone", placeOf(step.object));
        await store.delete(kind, metadata, { uid, resourceVersion }, { propagation: step.propagation });
        return;
      case "reown":
        await store.patch(kind, metadata, { type: "merge", patch: { metadata: { uid, resourceVersion, ownerReferences: step.ownerReferences } } });
        return;
      case "release":
        await store.patch(kind, metadata, { type: "merge", patch: { metadata: { uid, resourceVersion, finalizers: (metadata.finalizers ?? []).filter((each) => each !== step.finalizer) } } });
        return;
    }
    step satisfies never;
  };

  const pause = (ms: number, signal: AbortSignal, wakeable = false): Promise<void> =>
    new Promise((resolve) => {
      const end = () => {
        timer[Symbol.dispose]();
        signal.removeEventListener("abort", end);
        wake = undefined;
        resolve();
      };
      const timer = clock.after(ms, end);
      signal.addEventListener("abort", end, { once: true });
      if (wakeable) wake = end;
      if (signal.aborted) end();
    });

  return {
    name: "owner-garbage",
    phase: "controllers",
    async run(signal, ready) {
      ready();
      while (!signal.aborted) {
        woken = false;
        let again = false;
        try {
          again = await sweep();
        } catch (error) {
          log.warn("looking for objects without owners failed", { error: messageOf(error) });
        }
        // A storm of changes is looked at a few times a second, not after each.
        await pause(againMs, signal);
        if (!again && !woken) await pause(intervalMs, signal, true);
      }
    },
  };
}

/** Whether a change can call for a step. */
function matters({ type, object, old }: OwnerChange, owners: ReadonlySet<string>): boolean {
  const { ownerReferences, uid } = object.metadata;
  if (type === "removed") return owners.has(uid) || (ownerReferences ?? []).some((each) => each.blockOwnerDeletion === true);
  if (awaitsDependents(object)) return object.metadata.finalizers !== old?.metadata.finalizers;
  return ownerReferences !== undefined && JSON.stringify(ownerReferences) !== JSON.stringify(old?.metadata.ownerReferences);
}

function stateKey({ apiVersion, kind, name, uid }: OwnerReference, { metadata }: StoredObject): string {
  return [apiVersion, kind, metadata.namespace ?? "", name, uid].join("\0");
}

function kindOf({ kind }: StoredObject): KindName {
  if (!isKindName(kind)) throw new Error(`the store holds a ${kind}, which is no kind of the registry`);
  return kind;
}

function placeOf({ kind, metadata: { name, namespace } }: StoredObject) {
  return { kind, name, namespace };
}

import { sleep, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { isDeleting, type OwnerReference, type StoredObject } from "../api/meta.ts";
import { isStored, kindFor, kinds, storedKindNames } from "../api/registry.ts";
import { isNotFound } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { Runnable } from "./runnable.ts";

/** Everything is looked at this often, and at once when an object went that may have owned something. */
const intervalMs = 30_000;

export interface OwnerGarbageParts {
  readonly store: Pick<Store, "list" | "get" | "delete">;
  /** Whose going wakes it. */
  readonly informers: readonly { onChange(listener: (change: { readonly type: string }) => void): void }[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** Deletes objects all of whose owners are gone. An owner counts as gone when the store itself, not a cache, has no object of that name with that uid. */
export function createOwnerGarbage({ store, informers, clock, log }: OwnerGarbageParts): Runnable {
  let wake: (() => void) | undefined;
  for (const informer of informers) {
    informer.onChange(({ type }) => {
      if (type === "removed") wake?.();
    });
  }

  const isGone = async (owner: OwnerReference, namespace: string | undefined): Promise<boolean> => {
    const kind = kindFor(owner.apiVersion, owner.kind);
    // What we do not know, or do not keep, we cannot call gone (INV-5).
    if (kind === undefined || !isStored(kind)) return false;
    try {
      const found = await store.get(kind, { namespace: kinds[kind].scope === "Cluster" ? undefined : namespace, name: owner.name });
      return found.metadata.uid !== owner.uid;
    } catch (error) {
      if (isNotFound(error)) return true;
      throw error;
    }
  };

  const orphaned = async (object: StoredObject): Promise<boolean> => {
    const owners = object.metadata.ownerReferences ?? [];
    if (owners.length === 0 || isDeleting(object)) return false;
    for (const owner of owners) if (!(await isGone(owner, object.metadata.namespace))) return false;
    return true;
  };

  const sweep = async () => {
    for (const kind of storedKindNames) {
      for (const object of (await store.list(kind)).items) {
        if (!(await orphaned(object))) continue;
        log.info("deleting an object whose owners are gone", { kind, name: object.metadata.name, namespace: object.metadata.namespace });
        await store.delete(kind, object.metadata, { uid: object.metadata.uid }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }
    }
  };

  return {
    name: "owner-garbage",
    phase: "controllers",
    async run(signal, ready) {
      ready();
      while (!signal.aborted) {
        try {
          await sweep();
        } catch (error) {
          log.warn("looking for objects without owners failed", { error: messageOf(error) });
        }
        const woken = new Promise<void>((resolve) => (wake = resolve));
        await Promise.race([woken, sleep(clock, intervalMs, signal)]).catch(() => {
          // Stopped while waiting: the loop's condition ends it.
        });
      }
    },
  };
}

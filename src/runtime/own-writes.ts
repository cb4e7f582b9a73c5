import { timeoutSignal, type Clock } from "../base/clock.ts";
import type { KindMap, KindName } from "../api/registry.ts";
import type { Store } from "../store/store.ts";
import type { Informer } from "./informer.ts";

/** A cache that is further behind than this is not waited for: the next write would be a Conflict, which does no harm. */
const seeTimeoutMs = 5_000;

/** The writes of a controller, each resolving only when the cache it reads from has seen it (INV-9). */
export function createOwnWrites(store: Pick<Store, "update" | "updateStatus">, informers: Readonly<Partial<{ readonly [K in KindName]: Informer<K> }>>, clock: Clock): Pick<Store, "update" | "updateStatus"> {
  const seen = async <K extends KindName>(kind: K, object: KindMap[K]): Promise<KindMap[K]> => {
    using bound = timeoutSignal(clock, seeTimeoutMs, `the cache of ${kind}`);
    try {
      await informers[kind]?.waitForVersion(object.metadata.resourceVersion, bound.signal);
    } catch (error) {
      if (!bound.signal.aborted) throw error;
    }
    return object;
  };
  return {
    update: async (kind, object, options) => seen(kind, await store.update(kind, object, options)),
    updateStatus: async (kind, object, options) => seen(kind, await store.updateStatus(kind, object, options)),
  };
}

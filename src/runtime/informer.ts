import { sleep, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { keyOf, type Key } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { KindMap, KindName } from "../api/registry.ts";
import { matchesLabels } from "../api/selectors.ts";
import { isGone } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import { backoffMs } from "./backoff.ts";
import { createObjectIndex } from "./object-index.ts";
import type { Lister } from "./lister.ts";
import type { Runnable } from "./runnable.ts";
import type { RuntimeMetrics } from "./runtime-metrics.ts";

export type Change<K extends KindName> =
  | { readonly type: "added"; readonly object: KindMap[K]; readonly old: undefined }
  | { readonly type: "changed"; readonly object: KindMap[K]; readonly old: KindMap[K] }
  | { readonly type: "removed"; readonly object: KindMap[K]; readonly old: KindMap[K] };

/** A cache of one kind that follows the store: list once, then watch, and list again when told that the past is gone. */
export interface Informer<K extends KindName> extends Runnable {
  readonly kind: K;
  readonly lister: Lister<K>;
  /** Told after the cache has changed, in order. A relist tells what differs. Must not throw. */
  onChange(listener: (change: Change<K>) => void): void;
  /** Resolves once the cache has seen this version of the store or a later one. @throws the signal's reason */
  waitForVersion(resourceVersion: string, signal: AbortSignal): Promise<void>;
}

export interface InformerOptions<K extends KindName> {
  readonly store: Pick<Store, "list" | "watch">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Values to find objects under, by the index's name. */
  readonly indexes?: Readonly<Record<string, (object: KindMap[K]) => readonly string[]>>;
  /** Absent: nothing is counted. */
  readonly metrics?: RuntimeMetrics | undefined;
}

const pageItems = 500;

export function createInformer<K extends KindName>(kind: K, { store, clock, random, log, indexes = {}, metrics }: InformerOptions<K>): Informer<K> {
  let objects = new Map<Key, KindMap[K]>();
  let seenVersion = -1;
  const index = createObjectIndex(indexes);
  const listeners: ((change: Change<K>) => void)[] = [];
  const waiters = new Set<{ readonly version: number; readonly resolve: () => void }>();

  const tell = (change: Change<K>) => {
    for (const listener of listeners) listener(change);
  };
  const sawVersion = (version: string) => {
    seenVersion = Math.max(seenVersion, Number(version));
    for (const waiter of waiters) if (waiter.version <= seenVersion) waiter.resolve();
  };
  const put = (object: KindMap[K]) => {
    const key = keyOf(object);
    const old = objects.get(key);
    objects.set(key, object);
    index.replace(key, old, object);
    tell(old === undefined ? { type: "added", object, old } : { type: "changed", object, old });
  };
  const remove = (object: KindMap[K]) => {
    const key = keyOf(object);
    const old = objects.get(key);
    if (old === undefined) return;
    objects.delete(key);
    index.replace(key, old, undefined);
    tell({ type: "removed", object, old });
  };

  /** The cache is swapped whole, so that no reader sees half of an old world and half of a new one. */
  const relist = async (): Promise<string> => {
    const next = new Map<Key, KindMap[K]>();
    let resourceVersion: string;
    let token: string | undefined;
    do {
      const page = await store.list(kind, { limit: pageItems, continue: token });
      for (const object of page.items) next.set(keyOf(object), object);
      resourceVersion = page.resourceVersion;
      token = page.continue;
    } while (token !== undefined);
    const before = objects;
    objects = next;
    index.rebuild(next);
    for (const [key, object] of next) {
      const old = before.get(key);
      if (old === undefined) tell({ type: "added", object, old });
      else if (old.metadata.resourceVersion !== object.metadata.resourceVersion) tell({ type: "changed", object, old });
    }
    for (const [key, old] of before) if (!next.has(key)) tell({ type: "removed", object: old, old });
    sawVersion(resourceVersion);
    return resourceVersion;
  };

  const follow = async (from: string, signal: AbortSignal) => {
    for await (const event of store.watch(kind, { from }, signal)) {
      switch (event.type) {
        case "BOOKMARK":
          sawVersion(event.resourceVersion);
          break;
        case "ADDED":
        case "MODIFIED":
          put(event.object);
          sawVersion(event.object.metadata.resourceVersion);
          break;
        case "DELETED":
          remove(event.object);
          sawVersion(event.object.metadata.resourceVersion);
          break;
      }
    }
  };

  return {
    kind,
    name: `informer/${kind}`,
    phase: "caches",
    lister: {
      get: (ref) => objects.get(keyOf(ref)),
      byKey: (key) => objects.get(key),
      list: ({ namespace, labels } = {}) => {
        const all = [...objects.values()];
        return namespace === undefined && labels === undefined ? all : all.filter((each) => (namespace === undefined || each.metadata.namespace === namespace) && (labels === undefined || matchesLabels(labels, each.metadata.labels)));
      },
      byIndex: (name, value) => index.keys(name, value).map((key) => objects.get(key)!),
    },
    onChange: (listener) => void listeners.push(listener),
    waitForVersion: (resourceVersion, signal) =>
      new Promise((resolve, reject) => {
        const version = Number(resourceVersion);
        if (version <= seenVersion) return resolve();
        if (signal.aborted) return reject(signal.reason as Error);
        const onAbort = () => {
          waiters.delete(waiter);
          reject(signal.reason as Error);
        };
        const waiter = {
          version,
          resolve: () => {
            waiters.delete(waiter);
            signal.removeEventListener("abort", onAbort);
            resolve();
          },
        };
        waiters.add(waiter);
        signal.addEventListener("abort", onAbort, { once: true });
      }),
    async run(signal, ready) {
      let failures = 0;
      while (!signal.aborted) {
        try {
          const version = await relist();
          metrics?.relisted(kind);
          ready();
          failures = 0;
          await follow(version, signal);
        } catch (error) {
          if (signal.aborted) return;
          if (isGone(error)) log.info("fell behind; listing again", { kind });
          else log.warn("watching failed; listing again", { kind, error: messageOf(error) });
        }
        if (!signal.aborted) await sleep(clock, backoffMs(failures++, { minMs: 20, maxMs: 5_000, random }), signal).catch(() => {
          // Stopped while waiting: the loop's condition ends it.
        });
      }
    },
  };
}

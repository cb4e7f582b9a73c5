import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Key } from "../base/keys.ts";
import type { Random } from "../base/random.ts";
import { backoffMs } from "./backoff.ts";
import type { QueueMetrics } from "./runtime-metrics.ts";

/** What somebody changed goes before what is only looked at again. */
export type Priority = "user" | "resync";

/**
 * Keys that want a look. Laws, held by the property test:
 * - A key that waits is in the queue once, however often it was added.
 * - A key is never out twice (INV-2): added while out, it comes again after `done`.
 * - Nothing added is lost: it comes out, or the queue is closed.
 * - Of several delays for one key the earliest counts.
 * - "user" keys come before "resync" keys; among equals, first added first out. A waiting key is promoted, never demoted.
 */
export interface WorkQueue {
  add(key: Key, priority?: Priority): void;
  addAfter(key: Key, delayMs: number): void;
  /** Adds after a delay that doubles with each call for this key until `forget`. Answers the delay in milliseconds. */
  addRateLimited(key: Key): number;
  /** The key did well: its next failure starts from the shortest delay. */
  forget(key: Key): void;
  /** The next key; waits for one. @throws the signal's reason */
  get(signal: AbortSignal): Promise<Key>;
  /** Whoever got the key is finished with it. */
  done(key: Key): void;
  /** Keys that wait for a worker now; delayed ones not counted. */
  readonly depth: number;
  /** Drops everything, timers too. */
  close(): void;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly retryDelayMsMin?: number;
  readonly retryDelayMsMax?: number;
  /** Absent: nothing is counted, and nothing is kept for it. */
  readonly metrics?: QueueMetrics | undefined;
}

export function createWorkQueue({ clock, random, retryDelayMsMin = 10, retryDelayMsMax = 60_000, metrics }: WorkQueueOptions): WorkQueue {
  // Sets keep the order of insertion, which is the order of service.
  const waiting: Record<Priority, Set<Key>> = { user: new Set(), resync: new Set() };
  const out = new Set<Key>();
  const again = new Map<Key, Priority>();
  const delayed = new Map<Key, { readonly dueMs: number; readonly timer: Disposable }>();
  const failures = new Map<Key, number>();
  const takers: ((key: Key) => void)[] = [];
  /** Since when each key waits, for the metrics only. */
  const waitingSinceMs = new Map<Key, number>();
  let closed = false;

  const hand = () => {
    while (takers.length > 0) {
      const key = first(waiting.user) ?? first(waiting.resync);
      if (key === undefined) return;
      waiting.user.delete(key);
      waiting.resync.delete(key);
      assert(!out.has(key), "INV-2: a key was handed out twice");
      out.add(key);
      if (metrics !== undefined) {
        metrics.taken(clock.monotonic() - (waitingSinceMs.get(key) ?? 0));
        waitingSinceMs.delete(key);
      }
      takers.shift()!(key);
    }
  };

  const queue: WorkQueue = {
    add(key, priority = "user") {
      if (closed) return;
      if (out.has(key)) {
        if (again.get(key) !== "user") again.set(key, priority);
        return;
      }
      if (waiting.user.has(key)) return;
      if (metrics !== undefined && !waiting.resync.has(key)) {
        metrics.added();
        waitingSinceMs.set(key, clock.monotonic());
      }
      if (priority === "user") waiting.resync.delete(key);
      waiting[priority].add(key);
      hand();
    },
    addAfter(key, delayMs) {
      if (closed) return;
      const dueMs = clock.monotonic() + delayMs;
      const known = delayed.get(key);
      if (known !== undefined && known.dueMs <= dueMs) return;
      known?.timer[Symbol.dispose]();
      const timer = clock.after(delayMs, () => {
        delayed.delete(key);
        queue.add(key, "resync");
      });
      delayed.set(key, { dueMs, timer });
    },
    addRateLimited(key) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      metrics?.retried();
      const delayMs = backoffMs(count, { minMs: retryDelayMsMin, maxMs: retryDelayMsMax, random });
      queue.addAfter(key, delayMs);
      return delayMs;
    },
    forget: (key) => void failures.delete(key),
    get(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const onAbort = () => {
          takers.splice(takers.indexOf(taker), 1);
          reject(signal.reason as Error);
        };
        const taker = (key: Key) => {
          signal.removeEventListener("abort", onAbort);
          resolve(key);
        };
        signal.addEventListener("abort", onAbort, { once: true });
        takers.push(taker);
        hand();
      });
    },
    done(key) {
      assert(out.delete(key), "a key was given back that was not out");
      const priority = again.get(key);
      again.delete(key);
      if (priority !== undefined) queue.add(key, priority);
    },
    get depth() {
      return waiting.user.size + waiting.resync.size;
    },
    close() {
      closed = true;
      for (const { timer } of delayed.values()) timer[Symbol.dispose]();
      delayed.clear();
      waiting.user.clear();
      waiting.resync.clear();
      again.clear();
      waitingSinceMs.clear();
    },
  };
  metrics?.depth(() => queue.depth);
  return queue;
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const each of set) return each;
  return undefined;
}

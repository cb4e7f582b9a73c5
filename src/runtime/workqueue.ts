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
 * - Of one lane no more than `laneKeysMax` keys are out; the others of it wait, and hold up no key of another lane.
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
  /** What a key's worker may be held up by, such as its Node; asked when the key is added. Undefined: nothing that others share. */
  readonly laneOf?: ((key: Key) => string | undefined) | undefined;
  /** Default: no bound. */
  readonly laneKeysMax?: number | undefined;
  /** Absent: nothing is counted, and nothing is kept for it. */
  readonly metrics?: QueueMetrics | undefined;
}

export function createWorkQueue({ clock, random, retryDelayMsMin = 10, retryDelayMsMax = 60_000, laneOf, laneKeysMax = Infinity, metrics }: WorkQueueOptions): WorkQueue {
  const waiting = new Map<Key, { readonly lane: Lane; readonly priority: Priority }>();
  const lanes = new Map<string | undefined, Lane>();
  const out = new Map<Key, Lane>();
  let added = 0;
  const again = new Map<Key, Priority>();
  const delayed = new Map<Key, { readonly dueMs: number; readonly timer: Disposable }>();
  const failures = new Map<Key, number>();
  const takers: ((key: Key) => void)[] = [];
  /** Since when each key waits, for the metrics only. */
  const waitingSinceMs = new Map<Key, number>();
  let closed = false;

  const laneNamed = (name: string | undefined): Lane => {
    const known = lanes.get(name) ?? { name, user: new Map<Key, number>(), resync: new Map<Key, number>(), out: 0 };
    lanes.set(name, known);
    return known;
  };
  const drop = (lane: Lane) => {
    if (lane.out === 0 && lane.user.size === 0 && lane.resync.size === 0) lanes.delete(lane.name);
  };
  const leave = (key: Key) => {
    const place = waiting.get(key)!;
    waiting.delete(key);
    place.lane[place.priority].delete(key);
    return place;
  };
  /** The one that has waited longest, of the lanes that have room. */
  const first = (priority: Priority): Key | undefined => {
    let best: readonly [key: Key, added: number] | undefined;
    for (const lane of lanes.values()) {
      if (lane.name !== undefined && lane.out >= laneKeysMax) continue;
      for (const entry of lane[priority]) {
        if (best === undefined || entry[1] < best[1]) best = entry;
        break;
      }
    }
    return best?.[0];
  };
  const hand = () => {
    while (takers.length > 0) {
      const key = first("user") ?? first("resync");
      if (key === undefined) return;
      const { lane } = leave(key);
      assert(!out.has(key), "INV-2: a key was handed out twice");
      out.set(key, lane);
      lane.out++;
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
      const known = waiting.get(key);
      if (known?.priority === "user" || known?.priority === priority) return;
      if (metrics !== undefined && known === undefined) {
        metrics.added();
        waitingSinceMs.set(key, clock.monotonic());
      }
      const lane = known === undefined ? laneNamed(laneOf?.(key)) : leave(key).lane;
      waiting.set(key, { lane, priority });
      lane[priority].set(key, added++);
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
      const lane = out.get(key);
      assert(lane !== undefined, "a key was given back that was not out");
      out.delete(key);
      lane.out--;
      const priority = again.get(key);
      again.delete(key);
      if (priority !== undefined) queue.add(key, priority);
      drop(lane);
      hand();
    },
    get depth() {
      return waiting.size;
    },
    close() {
      closed = true;
      for (const { timer } of delayed.values()) timer[Symbol.dispose]();
      delayed.clear();
      waiting.clear();
      for (const lane of lanes.values()) {
        lane.user.clear();
        lane.resync.clear();
      }
      again.clear();
      waitingSinceMs.clear();
    },
  };
  metrics?.depth(() => queue.depth);
  return queue;
}

/** Keys that share what may hold them up. Each with its turn: maps keep the order of insertion, which is the order of service. */
interface Lane {
  readonly name: string | undefined;
  readonly user: Map<Key, number>;
  readonly resync: Map<Key, number>;
  out: number;
}

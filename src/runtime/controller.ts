import PQueue from "p-queue";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import { assert } from "../base/assert.ts";
import { messageOf } from "../base/errors.ts";
import { keyOf, type Key } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { KindName } from "../api/registry.ts";
import { isConflict } from "../api/status-error.ts";
import type { Informer } from "./informer.ts";
import { TerminalError, type Reconciler, type WatchRule } from "./reconciler.ts";
import type { Runnable } from "./runnable.ts";
import type { ReconcileResult, RuntimeMetrics } from "./runtime-metrics.ts";
import { createWorkQueue } from "./workqueue.ts";

export interface Controller extends Runnable {
  /** A hint from outside the store that this object wants a look. */
  enqueue(key: Key): void;
}

export interface ControllerOptions {
  /** One for each kind the reconciler watches. */
  readonly informers: Readonly<Partial<{ readonly [K in KindName]: Informer<K> }>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Objects reconciled at once. */
  readonly concurrency?: number;
  /** Of these, as many as may be of one lane: a machine that hangs holds up its own objects only. */
  readonly laneConcurrency?: number;
  /** A pass that takes longer is aborted and tried again. */
  readonly reconcileTimeoutMs?: number;
  /** Absent: nothing is counted. */
  readonly metrics?: RuntimeMetrics | undefined;
}

/** Runs a reconciler: changes become keys, keys become passes, outcomes become the next look. */
export function createController(reconciler: Reconciler, options: ControllerOptions): Controller {
  const { informers, clock, random, log, concurrency = 64, laneConcurrency = 16, reconcileTimeoutMs = 20 * 60_000, metrics } = options;
  const queue = createWorkQueue({ clock, random, laneOf: reconciler.lane?.bind(reconciler), laneKeysMax: laneConcurrency, metrics: metrics?.queue(reconciler.name) });
  const working = new Set<Key>();

  for (const rule of reconciler.watches) {
    const informer = informers[rule.kind] as Informer<KindName> | undefined;
    assert(informer !== undefined, `${reconciler.name} watches ${rule.kind}, and has no informer of it`);
    assert(rule.keys !== undefined || rule.kind === reconciler.kind, `${reconciler.name}: a rule for ${rule.kind} must name keys`);
    informer.onChange(({ object, old }) => {
      for (const key of keysOf(rule, object)) queue.add(key);
      // What the object no longer points to may have to change as well.
      if (old !== undefined && old !== object && rule.keys !== undefined) for (const key of keysOf(rule, old)) queue.add(key);
    });
  }

  const work = async (key: Key, parent: AbortSignal): Promise<void> => {
    assert(!working.has(key), `INV-2: ${reconciler.name} is already at ${key}`);
    working.add(key);
    const begunMs = clock.monotonic();
    const counted = (result: ReconcileResult) => metrics?.reconciled(reconciler.name, result, clock.monotonic() - begunMs);
    using bound = timeoutSignal(clock, reconcileTimeoutMs, `${reconciler.name} on ${key}`, parent);
    try {
      const outcome = await reconciler.reconcile(key, bound.signal);
      counted(outcome.kind);
      queue.forget(key);
      if (outcome.kind === "requeue") queue.addAfter(key, outcome.afterMs);
    } catch (error) {
      if (parent.aborted) return;
      counted(error instanceof TerminalError ? "terminal" : isConflict(error) ? "conflict" : "error");
      if (error instanceof TerminalError) {
        queue.forget(key);
        log.warn("gave up until it changes", { controller: reconciler.name, key, error: messageOf(error) });
        return;
      }
      const retryMs = Math.round(queue.addRateLimited(key));
      // A stale read is everyday: somebody wrote in between, and the next pass sees it.
      if (isConflict(error)) log.debug("wrote on an old version; trying again", { controller: reconciler.name, key });
      else log.warn("a pass failed; trying again", { controller: reconciler.name, key, retryMs, error: messageOf(error) });
    } finally {
      working.delete(key);
      queue.done(key);
    }
  };

  return {
    name: reconciler.name,
    phase: "controllers",
    enqueue: (key) => queue.add(key),
    async run(signal, ready) {
      const pool = new PQueue({ concurrency });
      ready();
      try {
        while (!signal.aborted) {
          // A key is taken only when somebody is free for it, so that the queue's order is the order of work.
          await pool.onSizeLessThan(1);
          const key = await queue.get(signal);
          void pool.add(() => work(key, signal));
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        queue.close();
        await pool.onIdle();
      }
    },
  };
}

function keysOf(rule: WatchRule, object: object): readonly Key[] {
  return rule.keys === undefined ? [keyOf(object as Parameters<typeof keyOf>[0])] : rule.keys(object as never);
}

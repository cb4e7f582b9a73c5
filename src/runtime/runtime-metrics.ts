import type { KindName } from "../api/registry.ts";

/** What a work queue tells of itself. */
export interface QueueMetrics {
  /** How to read the number of keys that wait; called when somebody looks, and only then. */
  depth(read: () => number): void;
  /** A key began to wait. */
  added(): void;
  /** A worker took a key that had waited so long, in milliseconds. */
  taken(waitedMs: number): void;
  /** A key is tried again after a failure. */
  retried(): void;
}

/** How a pass over an object ended. "conflict" is a write on an old version, "terminal" a failure that is not tried again. */
export type ReconcileResult = "settled" | "requeue" | "conflict" | "terminal" | "error";

/** Whoever counts implements it. Every call must be cheap and must not throw: it is made on the way of each pass. */
export interface RuntimeMetrics {
  queue(controller: string): QueueMetrics;
  /** @param tookMs of the pass, in milliseconds */
  reconciled(controller: string, result: ReconcileResult, tookMs: number): void;
  /** An informer has listed all objects of its kind: at its start, and whenever it fell behind. */
  relisted(kind: KindName): void;
}

/** When a runnable starts, in order; a phase starts when all of the one before are ready. They stop in reverse. */
export const phases = ["store", "caches", "sources", "controllers", "edge"] as const;
/**
 * store: what everything reads. caches: informers; ready when they have listed once, so that no controller acts on half
 * a world. sources: probes, forwards, event streams. controllers. edge: sockets, last to open and first to close.
 */
export type Phase = (typeof phases)[number];

/** A background job. */
export interface Runnable {
  readonly name: string;
  readonly phase: Phase;
  /** Settles only when all it began has ended. Calls `ready` once it is of use. A throw before the signal stops the whole process. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
}

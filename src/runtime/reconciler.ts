import type { Key } from "../base/keys.ts";
import type { KindName } from "../api/registry.ts";

/** How a reconcile ended. A throw means: again, with back-off. */
export type Outcome =
  /** Wish and world agree, or only a change can help: wait for one. */
  | { readonly kind: "settled" }
  /** Look again in so many milliseconds, whether or not anything changes. */
  | { readonly kind: "requeue"; readonly afterMs: number };

export const settled: Outcome = { kind: "settled" };
export const requeue = (afterMs: number): Outcome => ({ kind: "requeue", afterMs });

/** Trying again cannot help until the object changes: no back-off, one log line. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
}

/** Which changes of which kind wake which keys of a reconciler. */
export interface WatchRule {
  readonly kind: KindName;
  /** Keys to look at when this object appeared, changed or went. Absent: the object itself (only for the reconciler's own kind). */
  readonly keys?: (object: never) => readonly Key[];
}

/** A loop's body for one kind. It gets a key, never an event (INV-1), and for one key never runs twice at once (INV-2). */
export interface Reconciler {
  readonly kind: KindName;
  /** Lower-case, for logs, metrics and as the events' source: "workspace-controller". */
  readonly name: string;
  readonly watches: readonly WatchRule[];
  /** What a pass over this object may be held up by: the Node it is on. Undefined: nothing that others share. */
  lane?(key: Key): string | undefined;
  /** Reads the world and the wish, acts, says when to look again. The object may be gone: that is no error. */
  reconcile(key: Key, signal: AbortSignal): Promise<Outcome>;
}

import type { AnyObject, KindName } from "../api/registry.ts";
import type { StatusError } from "../api/status-error.ts";

/** One change of one object: what history keeps, watchers are told and the journal holds. */
export interface Commit {
  readonly version: number;
  readonly kind: KindName;
  /** "" for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  /** Undefined: it was created. */
  readonly before: AnyObject | undefined;
  /** Undefined: it was removed. */
  readonly after: AnyObject | undefined;
  /** `after`, or the last state under the version of the removal. */
  readonly last: AnyObject;
}

/** A commit as the journal has it. */
export type LoggedChange = Pick<Commit, "version" | "kind" | "namespace" | "name" | "after">;

/** Where commits become durable, or do not. Told in the order of the versions. */
export interface CommitSink {
  /** All up to this version are durable. */
  durable(version: number): void;
  /** None of those that were not yet durable ever will be. */
  lost(error: StatusError): void;
}

/** Makes commits durable, in order. Tells the sink, perhaps before `append` returns. */
export interface CommitLog {
  /** Why a write must be refused now; undefined when it may be tried. */
  readonly refusal: StatusError | undefined;
  append(commit: Commit): void;
}

/** What a view of stored objects is made from and kept up with. */
export interface CommitSource {
  /** The version readers see, and the objects it consists of: one pass over references. */
  snapshot(): { readonly version: number; readonly objects: readonly AnyObject[] };
  /** Called with each commit, in order, in the moment readers see it and before any of them is told. Must not throw. */
  observe(listener: (commit: Commit) => void): void;
}

import type { NamespacedName } from "../base/keys.ts";
import type { DeletionPropagation } from "../api/deletion.ts";
import type { FieldSelector, LabelSelector } from "../api/selectors.ts";
import type { KindMap, KindName } from "../api/registry.ts";
import type { ObjectInput } from "../api/meta.ts";

/** Which objects of a kind. All given parts must match. */
export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labels?: LabelSelector | undefined;
  readonly fields?: FieldSelector | undefined;
}

export interface ListOptions extends Selection {
  /** At most this many items; the rest behind `continue`. Absent: all. */
  readonly limit?: number | undefined;
  /**
   * Token of the list before. It names the version that list was taken at; the pages together are one consistent list, or
   * Expired. That error has a token itself (`StatusError.continue`), for those who would rather go on with the list as it
   * is now than begin again.
   */
  readonly continue?: string | undefined;
  /** The list as it was at this version. Absent: as it is. Expired when that is no longer kept; Timeout when the store is not that far. Not together with `continue`. */
  readonly at?: string | undefined;
}

export interface ListResult<T> {
  /** Ordered by namespace, then name, in code-unit order. */
  readonly items: readonly T[];
  /** The store's version the list was taken at: watch from here to miss nothing. */
  readonly resourceVersion: string;
  /** Present when there is more. */
  readonly continue?: string;
  /** How many are left after this page; absent when a selector is in use. */
  readonly remainingItemCount?: number;
}

export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  /** Nothing happened up to this version: a later watch may start here. */
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export interface WatchOptions extends Selection {
  /** Deliver what came after this version. Absent: from now. "0" is not special here; the server handles it. */
  readonly from?: string | undefined;
}

export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface WriteOptions {
  /** Do everything but store: the answer is what would have been stored. Default false. */
  readonly dryRun?: boolean | undefined;
  /**
   * Who writes, for metadata.managedFields: the writer comes to own what it adds or changes, and all others lose that.
   * Absent: nobody's fields are looked at, and the write costs what it costs without managers. Controllers in process
   * leave it out; what they write is nobody's, and whoever applies may set it without a conflict. A write over HTTP always
   * has a manager: the server takes the first word of the client's User-Agent where none is named.
   */
  readonly fieldManager?: string | undefined;
}

export interface PatchOptions extends WriteOptions {
  readonly subresource?: "status" | undefined;
  /** Called when an apply made the object, before its promise resolves. */
  readonly created?: (() => void) | undefined;
}

export interface DeleteOptions extends WriteOptions {
  /** What becomes of the object's dependents; carried out by the garbage collector. Absent: see `finalizersForDeletion`. */
  readonly propagation?: DeletionPropagation | undefined;
}

export type Patch =
  /** RFC 7386. */
  | { readonly type: "merge"; readonly patch: unknown }
  /** RFC 6902. A failing `test` is Invalid. */
  | { readonly type: "json"; readonly patch: readonly object[] }
  /** Kubernetes' strategic merge patch: for the kinds it shares with us. Of others UnsupportedMediaType. */
  | { readonly type: "strategic"; readonly patch: unknown }
  /**
   * Server-side apply: `patch` is all that the manager (`fieldManager`, required) wants of the object, with apiVersion and
   * kind. It makes the object when there is none; it takes out what the manager applied before, names no more and nobody
   * else owns. A field that another manager owns and that would change is a Conflict with one cause a field; `force` takes
   * it. Lists and maps merge as the kind's schema says. uid and resourceVersion in it are preconditions. Applying the same
   * again makes no version. Source: kubernetes.io, "Server-Side Apply".
   */
  | { readonly type: "apply"; readonly patch: object; readonly force?: boolean | undefined };

/**
 * The wished and the true, durable. Everything that reads or writes objects does it through this interface, in process
 * (memory, file) or over HTTP; one conformance suite holds all of them to the words below.
 *
 * Guarantees
 * - A promise that resolves has been made durable (INV-6). Until then no reader and no watcher sees the write.
 * - Writes are totally ordered; resourceVersion is that order, goes up by at least one each, and never goes back.
 * - A write that changes nothing resolves with the stored object, and makes no version and no event.
 * - Objects handed out are deeply frozen and may be shared.
 * - managedFields in what is written are taken as they are, so that fields can be moved between managers; `[]` forgets all
 *   managers, leaving them out or unreadable keeps them. An object that was made without a manager has none until the first
 *   apply. More than 10 managers by operation Update become one, the oldest first.
 *
 * Errors: always StatusError. NotFound, AlreadyExists, Conflict (stale resourceVersion, failed precondition), Invalid
 * (with causes), Gone (watch or continue token too old), RequestEntityTooLarge (over 1.5 MB of JSON),
 * ServiceUnavailable (the store has stopped: disk full, fsync failed; the message says which).
 */
export interface Store {
  /** @throws NotFound */
  get<K extends KindName>(kind: K, ref: NamespacedName): Promise<KindMap[K]>;

  list<K extends KindName>(kind: K, options?: ListOptions): Promise<ListResult<KindMap[K]>>;

  /**
   * Validates, fills in defaults, sets uid, generation 1 and creationTimestamp, drops any status. Makes a name from
   * generateName when name is absent. @throws AlreadyExists, Invalid, NotFound (its namespace)
   */
  create<K extends KindName>(kind: K, object: ObjectInput<KindMap[K]>, options?: WriteOptions): Promise<KindMap[K]>;

  /**
   * Replaces spec, labels, annotations, finalizers and owner references; status stays. With metadata.resourceVersion
   * only when it is current; with metadata.uid only when it is that object. Generation goes up when the spec changed.
   * Taking the last finalizer off a deleting object removes it (the result is the object as it last was).
   */
  update<K extends KindName>(kind: K, object: ObjectInput<KindMap[K]>, options?: WriteOptions): Promise<KindMap[K]>;

  /** Replaces the status and nothing else. Same preconditions as `update`. */
  updateStatus<K extends KindName>(kind: K, object: ObjectInput<KindMap[K]>, options?: WriteOptions): Promise<KindMap[K]>;

  /**
   * Applies the patch to the current object and goes on as `update` (or `updateStatus`). @throws NotFound, but not where
   * an apply makes the object (an apply to the status does not)
   */
  patch<K extends KindName>(kind: K, ref: NamespacedName, patch: Patch, options?: PatchOptions): Promise<KindMap[K]>;

  /**
   * With finalizers: sets deletionTimestamp (once) and raises generation; the object goes with its last finalizer.
   * Without: removes it. Resolves with the object as it is or last was. @throws NotFound, Conflict (preconditions)
   *
   * Propagation Foreground adds the finalizer `foregroundDeletion`, Orphan adds `orphan`, each takes the other's away, and
   * Background takes both. So the last wish counts, also of an object that is going already: Background after Foreground
   * lets it go at once when nothing else holds it. Dependents are not the store's: see runtime/owner-garbage.ts.
   */
  delete<K extends KindName>(kind: K, ref: NamespacedName, preconditions?: Preconditions, options?: DeleteOptions): Promise<KindMap[K]>;

  /**
   * Every change after `from` that the selection sees, in order, each exactly once. An object that leaves the selection
   * is DELETED, one that enters it ADDED. DELETED carries the last state under the version of the deletion. BOOKMARKs
   * come about once a minute. Ends when `signal` aborts; throws Gone when `from` is no longer kept or when the reader
   * falls behind the buffer's bound: list again then.
   */
  watch<K extends KindName>(kind: K, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<KindMap[K]>>;
}

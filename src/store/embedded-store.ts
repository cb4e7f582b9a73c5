import { assert } from "../base/assert.ts";
import { timestamp, type Clock } from "../base/clock.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { Random } from "../base/random.ts";
import { admit, admitDeletion, type AdmissionReader } from "../api/admission.ts";
import { fieldManagerRequired } from "../api/apply/field-manager.ts";
import { finalizersForDeletion } from "../api/deletion.ts";
import { qualifiedKind, qualifiedResource } from "../api/kind.ts";
import { isDeleting, type ObjectInput } from "../api/meta.ts";
import type { AnyObject, KindMap, KindName } from "../api/registry.ts";
import { alreadyExists, invalid, notFound, StatusError } from "../api/status-error.ts";
import { appliedObject } from "./applied-object.ts";
import type { Commit, CommitLog, CommitSink, CommitSource, LoggedChange } from "./commit.ts";
import { deepFreeze } from "./frozen-json.ts";
import { generatedName } from "./generated-name.ts";
import { History } from "./history.ts";
import { checkPreconditions, createdObject, definitionOf, deletingObject, objectWithStatus, removedObject, updatedObject, withoutFinalizers, type NewIdentity } from "./next-object.ts";
import { ObjectTable } from "./object-table.ts";
import { listPage } from "./page.ts";
import { patchedObject } from "./patched-object.ts";
import type { DeleteOptions, ListOptions, ListResult, Patch, PatchOptions, Preconditions, Store, WatchEvent, WatchOptions, WriteOptions } from "./store.ts";
import { trackedObject } from "./tracked-object.ts";
import { WatchHub } from "./watch-hub.ts";

/** Bounds of an embedded store. */
export interface StoreBounds {
  /** Commits a kind that watches and pages can go back. */
  readonly historyEventsMax?: number | undefined;
  /** Events one watcher may be behind. */
  readonly watchBufferEventsMax?: number | undefined;
  /** Writes that may wait to become durable at once. */
  readonly pendingWritesMax?: number | undefined;
}

export interface EmbeddedStoreOptions extends StoreBounds {
  readonly clock: Clock;
  readonly random: Random;
}

/** What a store starts with. */
export interface InitialState {
  readonly version: number;
  /** The store's from now on. */
  readonly objects: readonly AnyObject[];
  /** What came after those objects, already durable: it also fills the history, so that watches go on over a restart. */
  readonly changes: readonly LoggedChange[];
}

interface PendingWrite {
  readonly commit: Commit;
  readonly resolve: (object: AnyObject) => void;
  readonly reject: (error: StatusError) => void;
}

/** Computes one object's next state; `after` is `before` itself when nothing changes. */
type Decide = (version: string) => { readonly before: AnyObject | undefined; readonly after: AnyObject; readonly remove?: boolean };

/**
 * The store's rules over objects in memory; a CommitLog makes them durable.
 *
 * Two tables hold references to the same frozen objects. `head` has every write that was accepted, and is what the next
 * write is checked against; `visible` has those that are durable, and is all that readers and watchers see (INV-6). They
 * differ by `pending`. When the log loses what was pending, head goes back to visible.
 */
export class EmbeddedStore implements Store, CommitSink, CommitSource {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: CommitLog;
  readonly #pendingWritesMax: number;
  readonly #head = new ObjectTable();
  readonly #visible = new ObjectTable();
  readonly #history: History;
  readonly #hub: WatchHub;
  readonly #admission: AdmissionReader;
  readonly #observers: ((commit: Commit) => void)[] = [];
  #headVersion: number;
  #visibleVersion: number;
  #pending: PendingWrite[] = [];
  /** Answers that hang on pending writes, in the order of the version they wait for. */
  #waiting: { readonly version: number; readonly resolve: () => void; readonly reject: (error: StatusError) => void }[] = [];

  constructor(options: EmbeddedStoreOptions, initial: InitialState, log: (sink: CommitSink) => CommitLog) {
    const { clock, random, historyEventsMax = 4096, watchBufferEventsMax = 4096, pendingWritesMax = 10_000 } = options;
    this.#clock = clock;
    this.#random = random;
    this.#pendingWritesMax = pendingWritesMax;
    this.#headVersion = this.#visibleVersion = initial.version;
    this.#history = new History(initial.version, historyEventsMax);
    this.#hub = new WatchHub(clock, watchBufferEventsMax, () => this.#visibleVersion);
    this.#admission = {
      get: <K extends KindName>(kind: K, namespace: string | undefined, name: string) => this.#head.get(kind, namespace ?? "", name) as KindMap[K] | undefined,
      servicesIn: (namespace, workspace) => this.#head.servicesIn(namespace, workspace),
    };
    for (const object of initial.objects) {
      const { namespace = "", name } = object.metadata;
      this.#head.put(object.kind, namespace, name, object);
      this.#visible.put(object.kind, namespace, name, object);
    }
    for (const change of initial.changes) this.#replay(change);
    // Only now: most states of a long journal are gone again.
    for (const object of this.#visible.all()) deepFreeze(object);
    for (const { before, last } of this.#history.kept()) deepFreeze([before, last]);
    this.#log = log(this);
  }

  /** The version readers see, and the objects it consists of: one pass over references. */
  snapshot(): { readonly version: number; readonly objects: readonly AnyObject[] } {
    return { version: this.#visibleVersion, objects: this.#visible.all() };
  }

  observe(listener: (commit: Commit) => void): void {
    this.#observers.push(listener);
  }

  /** As if the signal of each had aborted. */
  endWatches(): void {
    this.#hub.close();
  }

  async get<K extends KindName>(kind: K, ref: NamespacedName): Promise<KindMap[K]> {
    const object = this.#visible.get(kind, ref.namespace ?? "", ref.name);
    if (object === undefined) throw notFound(qualifiedResource(definitionOf(kind)), ref.name);
    return object as KindMap[K];
  }

  async list<K extends KindName>(kind: K, options: ListOptions = {}): Promise<ListResult<KindMap[K]>> {
    return listPage(this.#visible, this.#visibleVersion, (version) => this.#history.after(kind, version), kind, options) as ListResult<KindMap[K]>;
  }

  watch<K extends KindName>(kind: K, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<KindMap[K]>> {
    const { from, ...selection } = options;
    const version = from === undefined || from === "" ? this.#visibleVersion : Number(from);
    if (!Number.isSafeInteger(version) || version < 0) return failing(new StatusError("BadRequest", `Cannot watch from resourceVersion ${JSON.stringify(from)}: it is not one that this server gave`));
    const backlog = version > this.#visibleVersion ? undefined : this.#history.after(kind, version);
    if (backlog === undefined) return failing(new StatusError("Gone", `Cannot watch from version ${version}: ${version > this.#visibleVersion ? `this store is only at ${this.#visibleVersion}` : "changes that old are no longer kept"}; list again`));
    return this.#hub.watch(kind, selection, backlog, signal) as AsyncIterable<WatchEvent<KindMap[K]>>;
  }

  create<K extends KindName>(kind: K, object: ObjectInput<KindMap[K]>, options: WriteOptions = {}): Promise<KindMap[K]> {
    return this.#write(kind, options, (version) => {
      const made = createdObject(kind, object, this.#identity(version), (namespace, prefix) => generatedName(kind, prefix, this.#random, (name) => this.#head.get(kind, namespace, name) !== undefined));
      const after = this.#tracked(kind, undefined, made, options);
      const { name } = after.metadata;
      if (this.#head.get(kind, after.metadata.namespace ?? "", name) !== undefined) throw alreadyExists(qualifiedResource(definitionOf(kind)), name);
      return { before: undefined, after };
    });
  }

  update<K extends KindName>(kind: K, object: ObjectInput<KindMap[K]>, options: WriteOptions = {}): Promise<KindMap[K]> {
    return this.#write(kind, options, (version) => {
      const before = this.#existing(kind, refOf(kind, object));
      return { before, after: this.#tracked(kind, before, updatedObject(kind, object, before, version), options) };
    });
  }

  updateStatus<K extends KindName>(kind: K, object: ObjectInput<KindMap[K]>, options: WriteOptions = {}): Promise<KindMap[K]> {
    return this.#write(kind, options, (version) => {
      const before = this.#existing(kind, refOf(kind, object));
      return { before, after: this.#tracked(kind, before, objectWithStatus(kind, object, before, version), { ...options, subresource: "status" }) };
    });
  }

  patch<K extends KindName>(kind: K, ref: NamespacedName, patch: Patch, options: PatchOptions = {}): Promise<KindMap[K]> {
    if (patch.type === "apply") return this.#applyConfiguration(kind, ref, patch, options);
    return this.#write(kind, options, (version) => {
      const before = this.#existing(kind, ref);
      const object = patchedObject(kind, before, patch);
      const after = (options.subresource === "status" ? objectWithStatus : updatedObject)(kind, object, before, version);
      return { before, after: this.#tracked(kind, before, after, options) };
    });
  }

  async #applyConfiguration<K extends KindName>(kind: K, ref: NamespacedName, { patch, force = false }: Patch & { readonly type: "apply" }, options: PatchOptions): Promise<KindMap[K]> {
    const { fieldManager: manager, subresource } = options;
    if (!manager) throw fieldManagerRequired();
    let isNew = false;
    const object = await this.#write(kind, options, (version) => {
      const before = this.#head.get(kind, ref.namespace ?? "", ref.name);
      if (before === undefined && subresource !== undefined) throw notFound(qualifiedResource(definitionOf(kind)), ref.name);
      isNew = before === undefined;
      return { before, after: appliedObject(kind, before, { ref, configuration: patch, manager, force, subresource }, this.#identity(version)) };
    });
    if (isNew) options.created?.();
    return object;
  }

  #identity(version: string): NewIdentity {
    return { uid: this.#random.uuid(), now: timestamp(this.#clock.now()), version };
  }

  #tracked(kind: KindName, before: AnyObject | undefined, after: AnyObject, { fieldManager: manager, subresource }: PatchOptions): AnyObject {
    return manager === undefined ? after : trackedObject(kind, before, after, { manager, subresource, now: timestamp(this.#clock.now()) });
  }

  delete<K extends KindName>(kind: K, ref: NamespacedName, preconditions: Preconditions = {}, options: DeleteOptions = {}): Promise<KindMap[K]> {
    return this.#write(kind, options, (version) => {
      admitDeletion(kind, ref.name);
      const before = this.#existing(kind, ref);
      checkPreconditions(kind, before, preconditions);
      const finalizers = finalizersForDeletion(before, options.propagation);
      if (finalizers.length === 0) return { before, after: withoutFinalizers(before), remove: true };
      return { before, after: deletingObject(before, version, timestamp(this.#clock.now()), finalizers) };
    });
  }

  #existing(kind: KindName, { namespace = "", name }: NamespacedName): AnyObject {
    const object = this.#head.get(kind, namespace, name);
    if (object === undefined) throw notFound(qualifiedResource(definitionOf(kind)), name);
    return object;
  }

  /**
   * One write. `decide` runs synchronously, and nothing else runs between it, admission and the commit's place in the log.
   * Whatever it answers was decided on writes that may not be durable yet, so the answer waits for them.
   */
  async #write<K extends KindName>(
    kind: K,
    { dryRun }: WriteOptions,
    decide: Decide,
  ): Promise<KindMap[K]> {
    const refusal = this.#log.refusal;
    if (refusal !== undefined) throw refusal;
    if (this.#pending.length >= this.#pendingWritesMax) {
      throw new StatusError("TooManyRequests", `Cannot write ${kind}: ${this.#pendingWritesMax} writes wait for the disk; try again in a second`, { retryAfterSeconds: 1 });
    }
    let next: { readonly commit: Commit | undefined; readonly answer: AnyObject };
    try {
      next = this.#decide(kind, decide, dryRun === true);
    } catch (error) {
      await this.#settled();
      throw error;
    }
    const { commit, answer } = next;
    if (commit === undefined) {
      await this.#settled();
      return answer as KindMap[K];
    }
    return new Promise<AnyObject>((resolve, reject) => {
      this.#headVersion = commit.version;
      this.#apply(this.#head, commit);
      this.#pending.push({ commit, resolve, reject });
      this.#log.append(commit);
    }) as Promise<KindMap[K]>;
  }

  /** What the write comes to: the commit to make, if any, and the answer to give. */
  #decide(kind: KindName, decide: Decide, dryRun: boolean): { readonly commit: Commit | undefined; readonly answer: AnyObject } {
    const version = this.#headVersion + 1;
    const { before, after, remove = false } = decide(String(version));
    if (!remove) admit(kind, after, before, this.#admission);
    if (after === before && !remove) return { commit: undefined, answer: after };
    const goes = remove || (isDeleting(after) && !after.metadata.finalizers?.length);
    const last = goes ? removedObject(after, String(version)) : after;
    if (dryRun) {
      const metadata = { ...last.metadata, resourceVersion: before?.metadata.resourceVersion ?? "0" };
      return { commit: undefined, answer: deepFreeze({ ...last, metadata } as AnyObject) };
    }
    const { namespace = "", name } = last.metadata;
    return { commit: { version, kind, namespace, name, before, after: goes ? undefined : after, last }, answer: last };
  }

  /** Resolves when all that was pending is durable. @throws ServiceUnavailable when it was lost */
  async #settled(): Promise<void> {
    const last = this.#pending.at(-1);
    if (last === undefined) return;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ version: last.commit.version, resolve, reject }));
  }

  durable(version: number): void {
    let done = 0;
    for (; done < this.#pending.length && this.#pending[done]!.commit.version <= version; done++) this.#show(this.#pending[done]!.commit);
    for (const { resolve, commit } of this.#pending.splice(0, done)) resolve(commit.last);
    while (this.#waiting.length > 0 && this.#waiting[0]!.version <= version) this.#waiting.shift()!.resolve();
  }

  lost(error: StatusError): void {
    for (const { commit } of this.#pending.toReversed()) {
      if (commit.before === undefined) this.#head.remove(commit.kind, commit.namespace, commit.name);
      else this.#head.put(commit.kind, commit.namespace, commit.name, commit.before);
    }
    this.#headVersion = this.#visibleVersion;
    for (const { reject } of this.#pending.splice(0)) reject(error);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #replay({ version, kind, namespace, name, after }: LoggedChange): void {
    const before = this.#head.get(kind, namespace, name);
    const last = after ?? (before && removedObject(before, String(version)));
    assert(last !== undefined, `the journal removes ${kind} ${namespace}/${name}, which is not there`);
    const commit: Commit = { version, kind, namespace, name, before, after, last };
    this.#headVersion = version;
    this.#apply(this.#head, commit);
    this.#show(commit);
  }

  #apply(table: ObjectTable, { kind, namespace, name, after }: Commit): void {
    if (after === undefined) table.remove(kind, namespace, name);
    else table.put(kind, namespace, name, after);
  }

  #show(commit: Commit): void {
    assert(commit.version > this.#visibleVersion, "INV-6: resourceVersion goes back");
    this.#apply(this.#visible, commit);
    this.#visibleVersion = commit.version;
    this.#history.add(commit);
    for (const observer of this.#observers) observer(commit);
    this.#hub.publish(commit);
  }
}

/** Fails at the first read, as a watch over HTTP does. */
function failing<T>(error: StatusError): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
}

/** The object an update is about. Anything else about the input is the parser's to judge. */
function refOf(kind: KindName, object: unknown): NamespacedName {
  const metadata = (object as { readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown } | null } | null | undefined)?.metadata;
  const { name, namespace } = metadata ?? {};
  if (typeof name !== "string" || name === "") throw invalid(qualifiedKind(definitionOf(kind)), "", [{ field: "metadata.name", message: "is required", reason: "FieldValueRequired" }]);
  if (definitionOf(kind).scope === "Namespaced" && (typeof namespace !== "string" || namespace === "")) {
    throw invalid(qualifiedKind(definitionOf(kind)), name, [{ field: "metadata.namespace", message: `is required: a ${kind} lives in a namespace`, reason: "FieldValueRequired" }]);
  }
  return { name, namespace: typeof namespace === "string" && namespace !== "" ? namespace : undefined };
}

import { createSourceReconciler, type SourceReconciler } from "../../controllers/source/controller.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { Service } from "../../src/api/service.ts";
import type { Source, SourceSpec, SourceStatus } from "../../src/api/source.ts";
import type { StoredObject } from "../../src/api/meta.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { keyOf } from "../../src/base/keys.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock, type VirtualClock } from "../../src/base/virtual-clock.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import type { Outcome } from "../../src/runtime/reconciler.ts";
import { revisionOf } from "../../src/sources/read-directory.ts";
import type { Reading, SourceReader } from "../../src/sources/source-reader.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";

/** A store, the loop of Sources, and what it reads in place of a directory. */
export interface SourceWorld {
  readonly store: Store;
  readonly clock: VirtualClock;
  readonly events: { readonly about: StoredObject; readonly reason: string; readonly message: string }[];
  /** Names and texts of what lies in each Source's place. */
  files(source: string): Map<string, string>;
  /** What is read instead of files, until it is undefined again. */
  setReading(source: string, reading: Reading | undefined): void;
  make(name: string, spec?: Partial<SourceSpec>): Promise<Source>;
  /** Has the loop see the Sources as they are stored now; a pass does so as it begins. */
  refresh(): Promise<void>;
  /** One pass of its loop. */
  pass(source: string): Promise<Outcome>;
  status(source: string): Promise<SourceStatus>;
  /** `True Applied`. */
  ready(source: string): Promise<string>;
  /** Names of the Services and Workspaces there are, as `svc/web`. */
  names(): Promise<readonly string[]>;
  service(name: string): Promise<Service>;
  /** As a loop that starts anew: what it remembered is gone. */
  restart(): void;
  preview: SourceReconciler["preview"];
}

/**
 * @param through what the loop writes through: a store that fails, say
 * @param reader what it reads with, in place of files that are only said to be there
 */
export function createSourceWorld(through: (store: Store) => Store = (store) => store, reader?: SourceReader): SourceWorld {
  const clock = createVirtualClock();
  const random = seededRandom(1);
  const store = createMemoryStore({ clock, random });
  const places = new Map<string, Map<string, string>>();
  const readings = new Map<string, Reading>();
  const events: { about: StoredObject; reason: string; message: string }[] = [];
  let known = new Map<string, Source>();
  const refresh = async () => {
    known = new Map((await store.list("Source")).items.map((each) => [keyOf(each), each]));
  };
  const filesOf = (source: string) => {
    const files = places.get(source) ?? new Map<string, string>();
    places.set(source, files);
    return files;
  };
  const sources: Lister<"Source"> = {
    get: (ref) => known.get(keyOf(ref)),
    byKey: (key) => known.get(key),
    list: () => [...known.values()],
    byIndex: () => [],
  };
  const read = (name: string): Reading => {
    const other = readings.get(name);
    if (other !== undefined) return other;
    const texts = [...filesOf(name)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([file, text]) => ({ name: file, directory: `/place/${name}`, text }));
    return { kind: "read", revision: revisionOf(texts), texts, problems: [] };
  };
  const reconciler = () => {
    const written = through(store);
    return createSourceReconciler({
      store: { get: store.get.bind(store), list: store.list.bind(store), create: written.create.bind(written), patch: written.patch.bind(written), delete: written.delete.bind(written), update: written.update.bind(written), updateStatus: written.updateStatus.bind(written) },
      sources,
      reader: reader ?? { read: async (source) => read(source.metadata.name), release: async () => {}, forget: async () => {}, onHint: () => {}, close: async () => {} },
      recorder: { event: (about, _type, reason, message) => void events.push({ about, reason, message }) },
      clock,
    });
  };
  let loop = reconciler();
  const get = (name: string) => store.get("Source", { name });

  return {
    store,
    clock,
    events,
    files: filesOf,
    setReading: (source, reading) => void (reading === undefined ? readings.delete(source) : readings.set(source, reading)),
    async make(name, spec = {}) {
      return await store.create("Source", { apiVersion: "vendetta.dev/v1alpha1", kind: "Source", metadata: { name }, spec: { directory: { path: `/place/${name}` }, ...spec } as SourceSpec });
    },
    refresh,
    async pass(source) {
      await refresh();
      await clock.advance(1000);
      return await loop.reconcile(keyOf({ name: source }), new AbortController().signal);
    },
    status: async (source) => (await get(source)).status ?? {},
    async ready(source) {
      const found = findCondition((await get(source)).status?.conditions, "Ready");
      return `${found?.status} ${found?.reason}`;
    },
    async names() {
      const lists = await Promise.all([store.list("Service"), store.list("Workspace")]);
      return lists.flatMap(({ items }): readonly StoredObject[] => items).map(({ kind, metadata }) => `${kind === "Service" ? "svc" : "ws"}/${metadata.name}`).sort();
    },
    service: (name) => store.get("Service", { namespace: "default", name }),
    restart: () => void (loop = reconciler()),
    async preview(name, signal) {
      await refresh();
      return await loop.preview(name, signal);
    },
  };
}

/** A store that answers as long as it may, and fails then. */
export function cutOff(store: Store, answers: () => boolean): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member = target[name as keyof Store] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => (answers() ? member.apply(target, args) : Promise.reject(new StatusError("ServiceUnavailable", "cut off")));
    },
  });
}

/** A Service's manifest. */
export function serviceText(name: string, spec: object = {}, metadata: object = {}): string {
  return `${JSON.stringify({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, ...metadata }, spec: { workspace: "dev", command: ["run", name], ...spec } })}\n`;
}

export function workspaceText(name: string, spec: object = {}): string {
  return `${JSON.stringify({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name }, spec: { provider: "host", ...spec } })}\n`;
}

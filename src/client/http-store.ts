import type { Readable } from "node:stream";
import type { NamespacedName } from "../base/keys.ts";
import { collectionPath, objectPath } from "../api/paths.ts";
import type { KindMap, KindName } from "../api/registry.ts";
import type { SourcePlanAnswer } from "../api/source-plan.ts";
import type { Table } from "../api/table.ts";
import type { ListOptions, ListResult, Patch, Selection, Store, WatchEvent, WatchOptions, WriteOptions } from "../store/store.ts";
import { deepFreeze } from "./deep-freeze.ts";
import type { RemoteCommand } from "./remote-command.ts";
import { createHttpClient, type HttpClientOptions, type HttpRequest } from "./http-client.ts";
import { fieldSelectorText, labelSelectorText } from "./selector-text.ts";
import type { WatchStreamOptions, WireEvent } from "./watch-stream.ts";

const tableAccept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/** Which part of an object a table's rows carry. Default Metadata. */
export interface TableWish {
  readonly includeObject?: "None" | "Metadata" | "Object" | undefined;
}

export type TableEvent = { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly table: Table } | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export interface ServiceLogOptions {
  readonly follow?: boolean | undefined;
  readonly tailLines?: number | undefined;
  readonly previous?: boolean | undefined;
}

export interface RemoteCommandWish {
  readonly argv: readonly string[];
  /** Whether the command reads what is written to its stdin; else it is empty. */
  readonly stdin: boolean;
  readonly terminal: boolean;
}

export interface ServerVersion {
  readonly gitVersion: string;
  readonly major: string;
  readonly minor: string;
  readonly platform: string;
}

/** The Store of a server, and what only a server has. All waits but streams are bounded by 30 s. */
export interface HttpStore extends Store {
  /** The objects as the server would print them. */
  listTable(kind: KindName, options?: ListOptions & TableWish): Promise<Table>;
  /** One object as a table of one row. @throws NotFound */
  getTable(kind: KindName, ref: NamespacedName, options?: TableWish): Promise<Table>;
  /** As `watch`, each event as a table of one row. The first event of each connection has the columns. */
  watchTable(kind: KindName, options: WatchOptions & TableWish, signal: AbortSignal): AsyncIterable<TableEvent>;
  /** The bytes of a Service's log. The caller reads or destroys it; `signal` ends it. @throws NotFound */
  logs(ref: NamespacedName, options?: ServiceLogOptions, signal?: AbortSignal): Promise<Readable>;
  /** The bytes that a Workspace's console showed last, at most 1 MiB. @throws NotFound, BadRequest */
  showConsole(ref: NamespacedName, signal?: AbortSignal): Promise<Readable>;
  /** Starts a command in a Workspace, or beside a Service with its environment. `signal` ends it. @throws NotFound, BadRequest */
  exec(kind: "Workspace" | "Service", ref: NamespacedName, wish: RemoteCommandWish, signal?: AbortSignal): Promise<RemoteCommand>;
  /** What a sync of a Source would do now. @throws NotFound */
  sourcePlan(name: string): Promise<SourcePlanAnswer>;
  version(): Promise<ServerVersion>;
  /** Closes idle connections. A store left open holds no process back. */
  close(): Promise<void>;
}

export function createHttpStore(options: HttpClientOptions): HttpStore {
  const { clock, socketPath } = options;
  const client = createHttpClient(options);
  const object = async <K extends KindName>(request: HttpRequest, onStatus?: (code: number) => void) => deepFreeze((await client.json(request, onStatus)) as KindMap[K]);

  const listRaw = async (kind: KindName, selection: ListOptions & TableWish, accept?: string) => {
    const query = selectionQuery(selection);
    if (selection.limit !== undefined) query.set("limit", String(selection.limit));
    if (selection.continue !== undefined) query.set("continue", selection.continue);
    if (selection.at !== undefined) {
      query.set("resourceVersion", selection.at);
      query.set("resourceVersionMatch", "Exact");
    }
    if (selection.includeObject !== undefined) query.set("includeObject", selection.includeObject);
    return await client.json({ method: "GET", path: collectionPath(kind, selection.namespace), query, headers: accept === undefined ? undefined : { accept } });
  };

  const watchRaw = (kind: KindName, selection: WatchOptions & TableWish, accept: string, signal: AbortSignal): AsyncGenerator<WireEvent> => {
    const query = selectionQuery(selection);
    if (selection.includeObject !== undefined) query.set("includeObject", selection.includeObject);
    // "From now" means from this call, not from the first read; and a version is needed to go on from when a connection ends.
    const from = selection.from === undefined ? listRaw(kind, { namespace: selection.namespace, limit: 1 }).then((list) => (list as WireList).metadata.resourceVersion) : Promise.resolve(selection.from);
    from.catch(() => undefined);
    return lazyWatchStream({ client, clock, socketPath, path: collectionPath(kind, selection.namespace), query, accept, from }, signal);
  };

  const write = <K extends KindName>(method: "POST" | "PUT", kind: K, body: { readonly metadata: { readonly namespace?: string; readonly name?: string } }, options: WriteOptions | undefined, subresource?: string) => {
    const { namespace, name } = body.metadata;
    const path = method === "POST" ? collectionPath(kind, namespace) : objectPath(kind, { namespace, name: name ?? "" }, subresource);
    return object<K>({ method, path, query: writeQuery(options), body });
  };

  return {
    get: (kind, ref) => object<typeof kind>({ method: "GET", path: objectPath(kind, ref) }),
    async list<K extends KindName>(kind: K, selection: ListOptions = {}): Promise<ListResult<KindMap[K]>> {
      const { metadata, items } = (await listRaw(kind, selection)) as WireList;
      return {
        items: deepFreeze(items as KindMap[K][]),
        resourceVersion: metadata.resourceVersion,
        ...(metadata.continue === undefined ? {} : { continue: metadata.continue }),
        ...(metadata.remainingItemCount === undefined ? {} : { remainingItemCount: metadata.remainingItemCount }),
      };
    },
    create(kind, body, options) {
      // The contract overwrites it; the API refuses it. kubectl leaves it out too.
      const { resourceVersion: _, ...metadata } = body.metadata;
      return write("POST", kind, { ...body, metadata }, options);
    },
    update: (kind, body, options) => write("PUT", kind, body, options),
    updateStatus: (kind, body, options) => write("PUT", kind, body, options, "status"),
    patch: (kind, ref, patch, options) =>
      object<typeof kind>({ method: "PATCH", path: objectPath(kind, ref, options?.subresource), query: patchQuery(patch, options), body: patch.patch, headers: { "content-type": patchTypes[patch.type] } }, (code) => {
        if (code === 201) options?.created?.();
      }),
    delete: (kind, ref, preconditions, options) =>
      object<typeof kind>({ method: "DELETE", path: objectPath(kind, ref), query: writeQuery(options), body: { apiVersion: "v1", kind: "DeleteOptions", preconditions, propagationPolicy: options?.propagation }, headers: { prefer: "return=representation" } }),
    watch: <K extends KindName>(kind: K, selection: WatchOptions, signal: AbortSignal) =>
      mapped(watchRaw(kind, selection, "application/json", signal), (event): WatchEvent<KindMap[K]> =>
        event.type === "BOOKMARK" ? bookmarkOf(event) : { type: event.type, object: deepFreeze(event.object as unknown as KindMap[K]) },
      ),
    listTable: async (kind, selection = {}) => (await listRaw(kind, selection, tableAccept)) as Table,
    getTable: async (kind, ref, { includeObject } = {}) =>
      (await client.json({ method: "GET", path: objectPath(kind, ref), query: includeObject === undefined ? undefined : new URLSearchParams({ includeObject }), headers: { accept: tableAccept } })) as Table,
    watchTable: (kind, selection, signal) =>
      mapped(watchRaw(kind, selection, tableAccept, signal), (event): TableEvent => (event.type === "BOOKMARK" ? bookmarkOf(event) : { type: event.type, table: event.object as unknown as Table })),
    async logs(ref, { follow, tailLines, previous } = {}, signal) {
      const query = new URLSearchParams();
      if (follow === true) query.set("follow", "true");
      if (tailLines !== undefined) query.set("tailLines", String(tailLines));
      if (previous === true) query.set("previous", "true");
      return await client.stream({ method: "GET", path: objectPath("Service", ref, "log"), query, headers: { accept: "text/plain, */*" } }, signal);
    },
    showConsole: (ref, signal) => client.stream({ method: "GET", path: objectPath("Workspace", ref, "console"), headers: { accept: "text/plain, */*" } }, signal),
    async exec(kind, ref, { argv, stdin, terminal }, signal) {
      const query = new URLSearchParams(argv.map((word): [string, string] => ["command", word]));
      for (const [name, value] of Object.entries({ stdin, stdout: true, stderr: !terminal, tty: terminal })) if (value) query.set(name, "true");
      const { openRemoteCommand } = await import("./remote-command.ts");
      return await openRemoteCommand({ socketPath, userAgent: options.userAgent, path: `${objectPath(kind, ref, "exec")}?${query}`, signal });
    },
    sourcePlan: async (name) => (await client.json({ method: "GET", path: objectPath("Source", { name }, "plan") })) as SourcePlanAnswer,
    version: async () => (await client.json({ method: "GET", path: "/version" })) as ServerVersion,
    close: () => Promise.resolve(client.close()),
  };
}

/** Loaded when first used: most commands never watch, and their start-up time is measured. */
async function* lazyWatchStream(options: WatchStreamOptions, signal: AbortSignal): AsyncGenerator<WireEvent> {
  const { watchStream } = await import("./watch-stream.ts");
  yield* watchStream(options, signal);
}

interface WireList {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string; readonly remainingItemCount?: number };
  readonly items: readonly unknown[];
}

function bookmarkOf(event: WireEvent): { readonly type: "BOOKMARK"; readonly resourceVersion: string } {
  return { type: "BOOKMARK", resourceVersion: event.object.metadata.resourceVersion ?? "" };
}

async function* mapped<T, R>(events: AsyncIterable<T>, change: (event: T) => R): AsyncGenerator<R> {
  for await (const event of events) yield change(event);
}

const patchTypes: { readonly [T in Patch["type"]]: string } = { merge: "application/merge-patch+json", json: "application/json-patch+json", apply: "application/apply-patch+yaml", strategic: "application/strategic-merge-patch+json" };

function selectionQuery({ labels, fields }: Selection): URLSearchParams {
  const query = new URLSearchParams();
  if (labels !== undefined && labels.length > 0) query.set("labelSelector", labelSelectorText(labels));
  if (fields !== undefined && fields.length > 0) query.set("fieldSelector", fieldSelectorText(fields));
  return query;
}

function writeQuery({ dryRun, fieldManager }: WriteOptions = {}): URLSearchParams {
  return new URLSearchParams({ ...(dryRun === true && { dryRun: "All" }), ...(fieldManager !== undefined && { fieldManager }) });
}

function patchQuery(patch: Patch, options: WriteOptions | undefined): URLSearchParams {
  const query = writeQuery(options);
  if (patch.type === "apply" && patch.force === true) query.set("force", "true");
  return query;
}

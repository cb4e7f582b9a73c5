import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { apiVersionOf, type KindDefinition } from "../api/kind.ts";
import type { StoredObject } from "../api/meta.ts";
import { kinds, type KindName } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";
import type { Store, WatchEvent } from "../store/store.ts";
import { negotiate, partialOffer, tableOffer } from "./accept.ts";
import { eventLine, type EventLines } from "./event-lines.ts";
import { createLifetime } from "./lifetime.ts";
import { checkWatchOptions, requireVersion } from "./list-options.ts";
import type { Query } from "./query.ts";
import { toStatusError } from "./status-response.ts";
import { createTable, includeObjectOf, partialObject } from "./table.ts";

/** A watch ends after this long when the client names no end; clients go on from the last version they saw. */
const watchSecondsDefault = 3600;
const watchSecondsMax = 24 * 3600;
/** The objects present at the start go out in pieces of about this size. */
const chunkBytes = 64 * 1024;

export interface WatchParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of the whole server: all watchers of a kind are sent the same. */
  readonly lines: EventLines;
  /** Told of each watch that begins; what it answers is called once when that ends. */
  readonly watching?: ((kind: KindName) => () => void) | undefined;
}

/**
 * A watch as JSON, one event a line.
 *
 * - No resourceVersion, or "0": the objects that are there come first, as ADDED. `sendInitialEvents` overrules that either
 *   way; when true they are not older than resourceVersion, and a BOOKMARK with the annotation k8s.io/initial-events-end follows them.
 * - A version that is no longer kept, and a reader too slow for the store's buffer: an ERROR event with a 410 Status, then
 *   the end.
 * - BOOKMARKs only with allowWatchBookmarks.
 * - The body is produced as it is read: a slow reader holds up nothing and costs the store's bounded buffer at most.
 *
 * Source: Kubernetes API concepts, "Efficient detection of changes".
 * @param signals the request's and the server's: the watch ends when one aborts
 */
export async function watchResponse({ store, clock, log, lines, watching }: WatchParts, kindName: KindName, namespace: string | undefined, query: Query, accept: string | null, signals: readonly (AbortSignal | undefined)[]): Promise<Response> {
  const kind = kinds[kindName] as KindDefinition<never>;
  const { as, version } = negotiate(accept, [tableOffer, partialOffer]);
  const include = includeObjectOf(query);
  const selection = query.selection(kind, namespace);
  checkWatchOptions(query);
  const from = query.resourceVersion();
  const bookmarks = query.flag("allowWatchBookmarks");
  const sendInitial = query.choice("sendInitialEvents");

  let withColumns = true;
  const written = (object: StoredObject): object => {
    if (as === "PartialObjectMetadata") return partialObject(object, version);
    if (as !== "Table") return object;
    const table = createTable(kindName, [object], { resourceVersion: object.metadata.resourceVersion }, { clock, include, version, withColumns });
    withColumns = false;
    return table;
  };
  const bookmarkAt = (resourceVersion: string, annotations?: Record<string, string>): object => {
    const metadata = { resourceVersion, ...(annotations === undefined ? {} : { annotations }) };
    if (as === "Table") return createTable(kindName, [], metadata, { clock, include, version, withColumns: false });
    return as === "PartialObjectMetadata" ? { kind: as, apiVersion: `meta.k8s.io/${version}`, metadata } : { kind: kindName, apiVersion: apiVersionOf(kind), metadata };
  };
  const lineOf = (event: WatchEvent<StoredObject>): string | Uint8Array => {
    if (event.type === "BOOKMARK") return eventLine(event.type, bookmarkAt(event.resourceVersion));
    return as === undefined ? lines.of(event.type, event.object) : eventLine(event.type, written(event.object));
  };

  const fresh = from === undefined || from === "0";
  let startAt = fresh ? undefined : from;
  let initial: readonly StoredObject[] = [];
  let tail = "";
  if (sendInitial ?? fresh) {
    const list = await store.list(kindName, selection);
    requireVersion(from, list.resourceVersion);
    initial = list.items;
    startAt = list.resourceVersion;
    if (sendInitial === true && bookmarks) tail = eventLine("BOOKMARK", bookmarkAt(list.resourceVersion, { "k8s.io/initial-events-end": "true" }));
  }

  const lifetime = createLifetime(clock, watchMsOf(query), ...signals);
  // Asked for here, not at the body's first read: what is written from now on must be in it.
  const events = begin(() => store.watch(kindName, { ...selection, from: startAt }, lifetime.signal));
  let pending = events.next();
  pending.catch(() => undefined);
  async function* body(): AsyncGenerator<string | Uint8Array> {
    let chunk = "";
    for (const object of initial) {
      chunk += eventLine("ADDED", written(object));
      if (chunk.length >= chunkBytes) {
        yield chunk;
        chunk = "";
      }
    }
    initial = [];
    if (chunk + tail !== "") yield chunk + tail;
    try {
      for (let next = await pending; next.done !== true; next = await (pending = events.next())) {
        if (next.value.type !== "BOOKMARK" || bookmarks) yield lineOf(next.value);
      }
    } catch (error) {
      if (!lifetime.signal.aborted) yield errorLine(error, log);
    }
  }
  const ended = watching?.(kindName);
  return new Response(bodyOf(body(), () => {
    ended?.();
    lifetime.end();
    void events.return?.()?.catch(() => undefined);
  }), { headers: { "content-type": "application/json", "cache-control": "no-cache, private", "transfer-encoding": "chunked" } });
}

/** How long a watch lasts, in milliseconds. @throws StatusError BadRequest */
export function watchMsOf(query: Query): number {
  return Math.min(query.count("timeoutSeconds") || watchSecondsDefault, watchSecondsMax) * 1000;
}

/** A watch that is refused at the call fails at its first read, like one that is refused later. */
function begin(watch: () => AsyncIterable<WatchEvent<StoredObject>>): AsyncIterator<WatchEvent<StoredObject>> {
  try {
    return watch()[Symbol.asyncIterator]();
  } catch (error) {
    return { next: () => Promise.reject(error as Error) };
  }
}

function errorLine(error: unknown, log: Logger): string {
  const status = toStatusError(error, log);
  // Clients of Kubernetes look for code 410 and relist on either reason; "Expired" is the one they log calmly.
  return eventLine("ERROR", (status.reason === "Gone" ? new StatusError("Expired", status.message, status.details) : status).toStatus());
}

/** The lines as a body that asks for the next only when the one before has been taken. `end` is called once, however it ends. */
export function bodyOf(lines: AsyncGenerator<string | Uint8Array>, end: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await lines.next();
        if (next.done !== true) return controller.enqueue(typeof next.value === "string" ? encoder.encode(next.value) : next.value);
        end();
        controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

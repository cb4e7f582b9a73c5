import { sleep, type Clock } from "../base/clock.ts";
import { StatusError } from "../api/status-error.ts";
import { connectionError, statusErrorOf, type HttpClient } from "./http-client.ts";
import { linesOf } from "./lines.ts";

/** An event as it comes over the wire. */
export interface WireEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: { readonly metadata: { readonly resourceVersion?: string } };
}

/** A connection that ends sooner than this without an event counts as a failure; so many in a row end the watch. */
const shortMs = 1000;
const failuresMax = 5;
const retryDelayMs = 1000;

export interface WatchStreamOptions {
  readonly client: HttpClient;
  readonly clock: Clock;
  readonly socketPath: string;
  readonly path: string;
  /** Everything but resourceVersion and watch. */
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly from: Promise<string>;
}

/**
 * A watch that outlives its connections: when one ends without an ERROR, it goes on from the last version seen.
 * Ends when `signal` aborts. @throws StatusError Gone, or ServiceUnavailable when the server is gone
 */
export async function* watchStream({ client, clock, socketPath, path, query, accept, from }: WatchStreamOptions, signal: AbortSignal): AsyncGenerator<WireEvent> {
  let failures = 0;
  try {
    let version = await from;
    while (!signal.aborted) {
      const params = new URLSearchParams(query);
      params.set("watch", "true");
      params.set("allowWatchBookmarks", "true");
      params.set("resourceVersion", version);
      const begun = clock.monotonic();
      const response = await client.stream({ method: "GET", path, query: params, headers: { accept } }, signal);
      let cut: unknown;
      try {
        for await (const line of linesOf(response as AsyncIterable<Buffer>)) {
          const event = parseEvent(line);
          version = event.object.metadata.resourceVersion ?? version;
          failures = 0;
          yield event;
          if (signal.aborted) return;
        }
      } catch (error) {
        if (error instanceof StatusError) throw error;
        cut = error;
      } finally {
        response.destroy();
      }
      if (clock.monotonic() - begun >= shortMs) failures = 0;
      else if (++failures >= failuresMax) throw connectionError(cut ?? new Error("watches end as soon as they begin"), socketPath);
      else await sleep(clock, retryDelayMs, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function parseEvent(line: string): WireEvent {
  let event: { readonly type?: unknown; readonly object?: { readonly code?: number; readonly metadata?: unknown } };
  try {
    event = JSON.parse(line) as typeof event;
  } catch (error) {
    throw new StatusError("InternalError", "Cannot read the server's watch: a line is no JSON", {}, { cause: error });
  }
  if (event.type === "ERROR") {
    const status = statusErrorOf(event.object, event.object?.code ?? 500);
    throw status.reason === "Expired" ? new StatusError("Gone", status.message, status.details) : status;
  }
  return event as unknown as WireEvent;
}

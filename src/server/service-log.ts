import { Readable } from "node:stream";
import type { Hono } from "hono";
import type { NamespacedName } from "../base/keys.ts";
import type { Clock } from "../base/clock.ts";
import { groupPath, kindPaths } from "../api/paths.ts";
import type { Store } from "../store/store.ts";
import type { AppEnv } from "./app-env.ts";
import { createLifetime } from "./lifetime.ts";
import { Query } from "./query.ts";
import { unknownPath } from "./status-response.ts";

export interface LogOptions {
  /** Go on with what is written from now. Default false. */
  readonly follow?: boolean | undefined;
  /** Only the last so many lines. Default: all that is kept. */
  readonly tailLines?: number | undefined;
  /** Of the run before the current one. */
  readonly previous?: boolean | undefined;
}

/**
 * Opens the log of a Service. Handed in by the composition root, which knows where logs are. The stream yields bytes,
 * waits for its reader, and ends when the log does or `signal` aborts. @throws StatusError
 */
export type ServiceLogs = (ref: NamespacedName, options: LogOptions & { readonly signal: AbortSignal }) => Promise<ReadableStream<Uint8Array> | Readable>;

const followSecondsMax = 24 * 3600;

/** `GET …/services/:name/log?follow=&tailLines=&previous=`, plain text, as a pod's log in Kubernetes. */
export function addServiceLog(app: Hono<AppEnv>, { store, clock, logs }: { readonly store: Store; readonly clock: Clock; readonly logs: ServiceLogs | undefined }): void {
  app.get(`${groupPath(kindPaths.Service)}/namespaces/:namespace/services/:name/log`, async (c) => {
    if (logs === undefined) throw unknownPath();
    const query = new Query(c.req.url);
    const ref = { namespace: c.req.param("namespace"), name: c.req.param("name") };
    const options = { follow: query.flag("follow"), tailLines: query.count("tailLines"), previous: query.flag("previous") };
    await store.get("Service", ref);
    return await logResponse(logs, ref, options, clock, [c.req.raw.signal, c.env.signal]);
  });
}

const headers = { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", "transfer-encoding": "chunked" };

/**
 * The log as an answer that ends with it, after `limitBytes`, or when a signal (the request's, the server's) aborts.
 * @throws StatusError what opening it throws
 */
export async function logResponse(logs: ServiceLogs, ref: NamespacedName, { limitBytes, ...options }: LogOptions & { readonly limitBytes?: number | undefined }, clock: Clock, signals: readonly (AbortSignal | undefined)[]): Promise<Response> {
  const lifetime = createLifetime(clock, followSecondsMax * 1000, ...signals);
  const opened = await logs(ref, { ...options, signal: lifetime.signal }).catch((error: unknown) => {
    lifetime.end();
    throw error;
  });
  const source = opened instanceof Readable ? (Readable.toWeb(opened) as ReadableStream<Uint8Array>) : opened;
  return new Response(endingWith(source, lifetime.signal, lifetime.end, limitBytes), { headers });
}

/** The log of what says nothing. */
export function emptyLog(): Response {
  return new Response("", { headers: { "content-type": headers["content-type"] } });
}

/** The stream, one chunk ahead of nobody, which ends cleanly after so many bytes, or when the signal aborts even if the source does not. */
function endingWith(source: ReadableStream<Uint8Array>, signal: AbortSignal, end: () => void, bytesMax = Infinity): ReadableStream<Uint8Array> {
  let left = bytesMax;
  const reader = source.getReader();
  const aborted = new Promise<{ readonly done: true }>((resolve) => {
    if (signal.aborted) resolve({ done: true });
    signal.addEventListener("abort", () => resolve({ done: true }), { once: true });
  });
  const finish = () => {
    end();
    void reader.cancel().catch(() => undefined);
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let next: { readonly done: boolean; readonly value?: Uint8Array | undefined };
        try {
          next = await Promise.race([reader.read(), aborted]);
        } catch (error) {
          end();
          // An aborted source may throw instead of ending.
          if (signal.aborted) return controller.close();
          throw error;
        }
        if (!next.done && next.value !== undefined && left > 0) {
          const part = next.value.subarray(0, left);
          left -= part.byteLength;
          controller.enqueue(part);
          if (left > 0) return;
        }
        finish();
        controller.close();
      },
      cancel: finish,
    },
    { highWaterMark: 0 },
  );
}

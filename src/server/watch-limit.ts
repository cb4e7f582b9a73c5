import type { MiddlewareHandler } from "hono";
import { StatusError } from "../api/status-error.ts";
import type { AppEnv } from "./app-env.ts";
import { isWatch } from "./is-watch.ts";
import type { ServerLimits } from "./limits.ts";

/** Counts watches from their call to their body's end, and refuses those beyond the bound. */
export function limitWatches({ watchersMax, watchRetryAfterSeconds }: ServerLimits): MiddlewareHandler<AppEnv> {
  let watchers = 0;
  return async (c, next) => {
    if (!isWatch(c)) return await next();
    if (watchers >= watchersMax) throw new StatusError("TooManyRequests", `Too many requests: ${watchersMax} watches run already; try again when one has ended`, { retryAfterSeconds: watchRetryAfterSeconds });
    watchers++;
    const release = once(() => watchers--);
    // Told of when the caller goes before it has read anything.
    c.req.raw.signal.addEventListener("abort", release, { once: true });
    try {
      await next();
    } catch (error) {
      release();
      throw error;
    }
    if (c.res.body === null || c.error !== undefined) release();
    else c.res = new Response(endingWith(c.res.body, release), c.res);
  };
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}

/** The same bytes, one chunk when one is asked for; `end` is called when they end, break off or are no longer wanted. */
function endingWith(body: ReadableStream<Uint8Array>, end: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
          if (!done && value !== undefined) return controller.enqueue(value);
        } catch (error) {
          end();
          throw error;
        }
        end();
        controller.close();
      },
      cancel(reason) {
        end();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./app-env.ts";
import { isWatch } from "./is-watch.ts";

/** Smaller answers go as they are, and the level is the fastest: as Kubernetes' API server, for the same reason, its processor's time. */
export const compressBytesMin = 128 * 1024;
const level = 1;
const compressible = /^application\/(json|yaml)\b/;

/** Compresses large answers for who accepts gzip. What is kept of one is `compressBytesMin` and zlib's own buffers. */
export function compressLargeAnswers(): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const { body, headers } = c.res;
    // An answer that says itself that it is chunked is live: nobody waits for the next piece to fill a buffer.
    if (c.req.method !== "GET" || body === null || isWatch(c) || headers.has("transfer-encoding") || headers.has("content-encoding")) return;
    if (!compressible.test(headers.get("content-type") ?? "") || !acceptsGzip(c.req.header("accept-encoding"))) return;
    const answer = await compressed(c.res, body);
    // Hono carries the headers of the answer before over to the new one, the old length among them.
    c.res = undefined;
    c.res = answer;
  };
}

async function compressed(response: Response, body: ReadableStream<Uint8Array>): Promise<Response> {
  const reader = body.getReader();
  const head: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < compressBytesMin) {
    const { done, value } = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
    if (done || value === undefined) return new Response(Buffer.concat(head, bytes), response);
    head.push(value);
    bytes += value.byteLength;
  }
  const gzip = createGzip({ level });
  // Whoever reads the answer is told by the stream's end or its error; there is nobody else to tell.
  pipeline(Readable.from(chunks(head, reader)), gzip, () => undefined);
  const headers = new Headers(response.headers);
  headers.set("content-encoding", "gzip");
  headers.append("vary", "Accept-Encoding");
  headers.delete("content-length");
  return new Response(Readable.toWeb(gzip) as ReadableStream<Uint8Array>, { status: response.status, headers });
}

async function* chunks(head: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (let chunk = head.shift(); chunk !== undefined; chunk = head.shift()) yield chunk;
    for (;;) {
      const { done, value } = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
      if (done || value === undefined) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

/** RFC 9110, 12.5.3, as far as it says something of gzip. */
export function acceptsGzip(header: string | undefined): boolean {
  return (header ?? "").split(",").slice(0, 20).some((each) => {
    const [coding = "", ...parameters] = each.toLowerCase().split(";").map((part) => part.trim());
    return coding === "gzip" && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

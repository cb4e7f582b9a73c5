import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { timeoutSignal, TimeoutError, type Clock } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import { isStatusReason, StatusError, type StatusDetails } from "../api/status-error.ts";

/** Bound on every answer that is not a stream. */
const answerMsMax = 30_000;
const answerBytesMax = 256 * 1024 * 1024;
/** Bound on the body of an error. */
const errorBytesMax = 4 * 1024 * 1024;
/** Idle connections are closed by us before the server would (95 s), so that no request meets a closing one. */
const idleMs = 30_000;
const socketsMax = 64;

export interface HttpClientOptions {
  readonly socketPath: string;
  readonly clock: Clock;
  readonly userAgent: string;
  /** Told each warning that the server has beside a success: the text of a `Warning` header of code 299, as Kubernetes sends them. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: URLSearchParams | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** HTTP/1.1 over the server's unix socket, with kept connections. Errors are StatusErrors. */
export interface HttpClient {
  /** The answer's body as JSON. Bounded by 30 s and 256 MiB. `onStatus` is told the code of a success. */
  json(request: HttpRequest, onStatus?: (code: number) => void): Promise<unknown>;
  /** The answer's body as it comes, on a connection of its own. The answer must begin within 30 s; `signal` ends it. */
  stream(request: HttpRequest, signal?: AbortSignal): Promise<IncomingMessage>;
  close(): void;
}

export function createHttpClient({ socketPath, clock, userAgent, onWarning }: HttpClientOptions): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: socketsMax, timeout: idleMs });

  /** Resolves with the head of the answer. Aborting ends the request, or the body when the head is there. */
  const send = ({ method, path, query, headers, body }: HttpRequest, kept: boolean, signal: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const text = query?.toString() ?? "";
      const request: ClientRequest = httpRequest({
        socketPath,
        agent: kept ? agent : false,
        method,
        path: text === "" ? path : `${path}?${text}`,
        headers: {
          host: "vendetta",
          "user-agent": userAgent,
          accept: "application/json",
          ...(payload === undefined ? {} : { "content-type": "application/json", "content-length": payload.byteLength }),
          ...headers,
        },
        signal,
      });
      request.once("response", resolve);
      request.on("error", (error) => {
        // Only what reads can be sent twice: a write may have been carried out before the connection broke.
        if (method === "GET" && kept && request.reusedSocket && codeOf(error) === "ECONNRESET" && !signal.aborted) send({ method, path, query, headers, body }, kept, signal).then(resolve, reject);
        else reject(connectionError(error, socketPath, signal));
      });
      request.end(payload);
    });

  return {
    async json(request, onStatus) {
      using deadline = timeoutSignal(clock, answerMsMax, `${request.method} ${request.path}`);
      const response = await send(request, true, deadline.signal);
      const text = await bodyText(response, answerBytesMax, (error) => connectionError(error, socketPath, deadline.signal));
      if (response.statusCode! >= 300) throw errorOf(response, text);
      onStatus?.(response.statusCode!);
      for (const warning of warningsOf(response)) onWarning?.(warning);
      return parse(text, request);
    },
    async stream(request, signal) {
      const ended = new AbortController();
      const onAbort = () => ended.abort(signal!.reason);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
      const deadline = clock.after(answerMsMax, () => ended.abort(new TimeoutError(`${request.method} ${request.path}`, answerMsMax)));
      try {
        const response = await send(request, false, ended.signal);
        response.once("close", () => signal?.removeEventListener("abort", onAbort));
        if (response.statusCode! < 300) return response;
        throw errorOf(response, await bodyText(response, errorBytesMax, (error) => connectionError(error, socketPath, ended.signal)));
      } catch (error) {
        signal?.removeEventListener("abort", onAbort);
        throw error;
      } finally {
        deadline[Symbol.dispose]();
      }
    },
    close: () => agent.destroy(),
  };
}

/** RFC 7234, 5.5: code, agent and a quoted text, several of them with commas between. */
function warningsOf({ headers }: IncomingMessage): readonly string[] {
  return [...String(headers["warning"] ?? "").matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text!.replaceAll(/\\(.)/g, "$1"));
}

function bodyText(response: IncomingMessage, bytesMax: number, wrap: (error: unknown) => Error): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) response.destroy(new StatusError("RequestEntityTooLarge", `Cannot read the server's answer: it is larger than ${bytesMax} bytes; ask for less with a limit or a selector`));
      else chunks.push(chunk);
    });
    response.once("error", (error) => reject(error instanceof StatusError ? error : wrap(error)));
    response.once("end", () => resolve(Buffer.concat(chunks, bytes).toString("utf8")));
  });
}

function parse(text: string, { method, path }: HttpRequest): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new StatusError("InternalError", `Cannot read the server's answer to ${method} ${path}: it is no JSON`, {}, { cause: error });
  }
}

/** A metav1.Status as the error it stands for; the server's answer in other words when it is none. */
export function statusErrorOf(body: unknown, code: number): StatusError {
  const { kind, reason, message, details, metadata } = (body ?? {}) as { readonly kind?: unknown; readonly reason?: unknown; readonly message?: unknown; readonly details?: StatusDetails; readonly metadata?: { readonly continue?: string } };
  if (kind === "Status" && isStatusReason(reason)) return new StatusError(reason, String(message ?? reason), details ?? {}, { continue: metadata?.continue });
  return new StatusError(code === 503 ? "ServiceUnavailable" : "InternalError", `The vendetta server answered with status ${code}${typeof message === "string" ? `: ${message}` : ""}`);
}

function errorOf(response: IncomingMessage, text: string): StatusError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = { message: text.slice(0, 500) };
  }
  return statusErrorOf(body, response.statusCode!);
}

export function connectionError(error: unknown, socketPath: string, signal?: AbortSignal): Error {
  const reason: unknown = signal?.aborted === true ? signal.reason : undefined;
  if (reason instanceof TimeoutError) return new StatusError("Timeout", `${reason.message}: the vendetta server at ${socketPath} does not answer`, {}, { cause: error });
  if (reason instanceof Error) return reason;
  switch (codeOf(error)) {
    case "ENOENT":
    case "ECONNREFUSED":
      return new StatusError("ServiceUnavailable", `Cannot reach the vendetta server at ${socketPath}; run 'vendetta server start'`, {}, { cause: error });
    case "EACCES":
    case "EPERM":
      return new StatusError("ServiceUnavailable", `Cannot reach the vendetta server at ${socketPath}: permission denied; it belongs to another user`, {}, { cause: error });
    default:
      return new StatusError("ServiceUnavailable", `The connection to the vendetta server at ${socketPath} broke: ${messageOf(error)}`, {}, { cause: error });
  }
}

import type { Logger } from "../base/log.ts";
import { messageOf } from "../base/errors.ts";
import { StatusError } from "../api/status-error.ts";

/** A value as a JSON answer. One line, as kubectl and curl like it. */
export function jsonResponse(value: unknown, code = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${JSON.stringify(value)}\n`, { status: code, headers: { "content-type": "application/json", ...headers } });
}

/** Any error as metav1.Status. What is no StatusError is a bug of ours: logged, and told without its insides. */
export function toStatusError(error: unknown, log: Logger): StatusError {
  if (error instanceof StatusError) return error;
  log.error("request failed", { error: messageOf(error), stack: error instanceof Error ? error.stack : undefined });
  return new StatusError("InternalError", `Internal error occurred: ${messageOf(error)}`, {}, { cause: error });
}

export function statusResponse(error: unknown, log: Logger): Response {
  const status = toStatusError(error, log);
  const { retryAfterSeconds } = status.details;
  return jsonResponse(status.toStatus(), status.code, {
    ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
    // RFC 9110, 11.6.1: a 401 says how to do better.
    ...(status.reason === "Unauthorized" ? { "www-authenticate": "Bearer" } : {}),
  });
}

/** The path is none of ours. The words are Kubernetes'. */
export function unknownPath(): StatusError {
  return new StatusError("NotFound", "the server could not find the requested resource");
}

/** The words are Kubernetes'. @param instead what to do about it */
export function methodNotAllowed(instead?: string): StatusError {
  return new StatusError("MethodNotAllowed", `the server does not allow this method on the requested resource${instead === undefined ? "" : `; ${instead}`}`);
}

/** RFC 7234 `Warning` headers, code 299 as Kubernetes sends them. Each text is cut to what fits a header. */
export function addWarnings(response: Response, warnings: readonly string[]): Response {
  for (const warning of warnings.slice(0, 20)) {
    const text = warning.replace(/[^ -~]/g, "?").replace(/["\\]/g, "\\$&").slice(0, 256);
    response.headers.append("warning", `299 - "${text}"`);
  }
  return response;
}

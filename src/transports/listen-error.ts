import { TransportError } from "./transport.ts";

/**
 * Why a port cannot be listened on.
 * @param code the operating system's, or the nearest to it
 * @param detail what the code alone does not tell: who is in the way, what to do
 */
export function listenError(port: number, where: string, code: string, detail: string, cause?: unknown): TransportError {
  const at = port === 0 ? "a port" : `127.0.0.1:${port}`;
  return new TransportError(`cannot listen on ${at} of ${where}: ${detail}`, false, { cause: Object.assign(new Error(detail, { cause }), { code }) });
}

export function inUseDetail(port: number): string {
  return `another process listens there ('ss -ltnp sport = :${port}' tells which): end it, or use another port`;
}

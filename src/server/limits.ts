/** Bounds on what callers may take of the server. The bound on a body is `bodyBytesMax`, on upgraded connections that of `upgrade.ts`. */
export interface ServerLimits {
  /** Of one request, all its headers together. */
  readonly headerBytesMax: number;
  /** From a connection's opening, or its last answer's end, until the headers have come. */
  readonly headersMsMax: number;
  /** Until the whole request with its body has come. Answers (watches) are not bounded by it. */
  readonly requestMsMax: number;
  /** How often the two above are looked at. */
  readonly connectionsCheckMs: number;
  readonly tlsHandshakeMsMax: number;
  /** An idle connection is kept this long; longer than our client (30 s) and client-go (90 s) keep their end, so that it is the client that closes. */
  readonly keepAliveMs: number;
  /** Of one listener; what comes beyond is closed unanswered. */
  readonly connectionsMax: number;
  /** Watches of the whole server at a time; what comes beyond is 429 with Retry-After. */
  readonly watchersMax: number;
  readonly watchRetryAfterSeconds: number;
  /** Time for running requests and streams to end when closing, before they are cut. */
  readonly closeMsMax: number;
}

export const serverLimits: ServerLimits = {
  headerBytesMax: 32 * 1024,
  headersMsMax: 15_000,
  requestMsMax: 60_000,
  connectionsCheckMs: 5_000,
  tlsHandshakeMsMax: 10_000,
  keepAliveMs: 95_000,
  connectionsMax: 1024,
  // A third of the connections is left for what ends by itself.
  watchersMax: 680,
  watchRetryAfterSeconds: 1,
  closeMsMax: 5000,
};

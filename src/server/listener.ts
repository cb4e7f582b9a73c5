import { chmod } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { sleep, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { StatusError } from "../api/status-error.ts";
import type { App } from "./app.ts";
import { claimSocketPath } from "./socket-path.ts";
import { statusResponse } from "./status-response.ts";
import type { Upgrader } from "./upgrade.ts";

const headerBytesMax = 32 * 1024;
/** The headers, and the whole request with its body, must have come within these times. Answers (watches) are not bounded. */
const headersMsMax = 15_000;
const requestMsMax = 60_000;
/** An idle connection is kept this long; longer than our client keeps its end, so that it is the client that closes. */
const keepAliveMs = 75_000;
const connectionsMax = 1024;
/** Time for running requests and streams to end when closing, before they are cut. */
const closeMsMax = 5000;
const closePollMs = 20;

export interface ListenOptions {
  readonly app: App;
  /** Absent: a connection that asks to become another protocol is cut. */
  readonly upgrade?: Upgrader | undefined;
  /** At most 107 bytes. */
  readonly socketPath: string;
  readonly log: Logger;
  readonly clock: Clock;
}

export interface Listener {
  readonly socketPath: string;
  /** Stops accepting, ends streams, lets running requests finish for up to 5 s, cuts the rest, removes the socket. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves the app on a unix socket only this user can reach (directory 0700, socket 0600).
 * @throws Error when the place is taken or unfit (see `claimSocketPath`)
 */
export async function listen({ app, upgrade, socketPath, log, clock }: ListenOptions): Promise<Listener> {
  await claimSocketPath(socketPath, clock);
  const stopping = new AbortController();
  const handle = getRequestListener((request) => app(request, { signal: stopping.signal }), {
    // The globals are everybody's: leave them as Node made them.
    overrideGlobalObjects: false,
    hostname: "localhost",
    errorHandler: (error) => statusResponse(new StatusError("BadRequest", `Cannot read the request: ${messageOf(error)}`), log),
  });
  const server = createServer({ maxHeaderSize: headerBytesMax, headersTimeout: headersMsMax, requestTimeout: requestMsMax, keepAliveTimeout: keepAliveMs }, (incoming, outgoing) => {
    handle(incoming, outgoing).catch((error: unknown) => log.warn("answer broke off", { error: messageOf(error) }));
  });
  if (upgrade !== undefined) server.on("upgrade", (request, socket, head) => upgrade(request, socket, head, stopping.signal));
  server.maxConnections = connectionsMax;
  await listening(server, socketPath);
  server.on("error", (error) => log.error("listener failed", { socketPath, error: messageOf(error) }));
  await chmod(socketPath, 0o600);
  log.info("listening", { socketPath });

  let closing: Promise<void> | undefined;
  return {
    socketPath,
    close: () => (closing ??= close(server, stopping, clock, log)),
  };
}

function listening(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new Error(`Cannot listen at ${socketPath}: ${messageOf(error)}`, { cause: error }));
    server.once("error", fail);
    server.listen({ path: socketPath }, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

async function close(server: Server, stopping: AbortController, clock: Clock, log: Logger): Promise<void> {
  let open = true;
  const closed = new Promise<void>((resolve) => {
    // Node removes the socket file itself.
    server.close(() => {
      open = false;
      resolve();
    });
  });
  stopping.abort();
  const end = clock.monotonic() + closeMsMax;
  while (open && clock.monotonic() < end) {
    // A connection becomes idle, and closable, when its last answer is out.
    server.closeIdleConnections();
    await Promise.race([closed, sleep(clock, closePollMs)]);
  }
  if (open) {
    log.warn("cutting connections that did not end", { afterMs: closeMsMax });
    server.closeAllConnections();
    await closed;
  }
}

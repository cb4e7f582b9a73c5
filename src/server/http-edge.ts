import { setMaxListeners } from "node:events";
import type { IncomingMessage, Server, ServerOptions } from "node:http";
import type { Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { sleep, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { StatusError } from "../api/status-error.ts";
import { unauthorized } from "./access.ts";
import type { App } from "./app.ts";
import { serverLimits, type ServerLimits } from "./limits.ts";
import { statusResponse } from "./status-response.ts";
import { refuse, type Upgrader } from "./upgrade.ts";
import { anonymous, type User } from "./user.ts";

const closePollMs = 20;

export interface EdgeOptions {
  readonly app: App;
  /** Absent: a connection that asks to become another protocol is cut. */
  readonly upgrade?: Upgrader | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  readonly limits?: ServerLimits | undefined;
}

/** Who a request is of; undefined when it says so and cannot prove it. The signal ends what streams to them. */
export interface Caller {
  readonly user: User | undefined;
  readonly signal: AbortSignal;
}

/** What ends all streams of a listener, or of a token. */
export function createEnd(): AbortController {
  const end = new AbortController();
  // Each stream listens, and they are bounded by the limits; Node would warn of more than ten.
  setMaxListeners(0, end.signal);
  return end;
}

/** One of Node's HTTP servers, serving the app. */
export interface HttpEdge {
  /** Stops accepting, lets running requests finish for up to `closeMsMax`, cuts the rest. Whoever calls it has ended the streams. */
  close(): Promise<void>;
}

/** What Node's server is to be made with. */
export function edgeServerOptions({ headerBytesMax, headersMsMax, requestMsMax, keepAliveMs, connectionsCheckMs }: ServerLimits): ServerOptions {
  return { maxHeaderSize: headerBytesMax, headersTimeout: headersMsMax, requestTimeout: requestMsMax, keepAliveTimeout: keepAliveMs, connectionsCheckingInterval: connectionsCheckMs };
}

/** Puts the app behind a server that does not listen yet. */
export function serveHttp(server: Server, callerOf: (request: IncomingMessage) => Caller, { app, upgrade, log, clock, limits = serverLimits }: EdgeOptions): HttpEdge {
  const handle = getRequestListener((request, { incoming }) => app(request, callerOf(incoming as IncomingMessage)), {
    // The globals are everybody's: leave them as Node made them.
    overrideGlobalObjects: false,
    hostname: "localhost",
    errorHandler: (error) => statusResponse(new StatusError("BadRequest", `Cannot read the request: ${messageOf(error)}`), log),
  });
  server.on("request", (incoming, outgoing) => {
    handle(incoming, outgoing).catch((error: unknown) => log.warn("answer broke off", { error: messageOf(error) }));
  });
  if (upgrade !== undefined) {
    server.on("upgrade", (request, socket, head) => {
      const { user, signal } = callerOf(request);
      // None of the paths that are open to anybody can be upgraded.
      if (user !== undefined && user.name !== anonymous.name) return upgrade(request, socket, head, signal);
      // Until it is closed nobody else listens.
      socket.on("error", (error) => log.debug("refused connection broke", { error: error.message }));
      refuse(socket, unauthorized());
    });
  }
  server.maxConnections = limits.connectionsMax;
  // Node's own list knows neither upgraded connections nor TLS handshakes.
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return { close: () => close(server, sockets, { clock, log, closeMsMax: limits.closeMsMax }) };
}

async function close(server: Server, sockets: ReadonlySet<Socket>, { clock, log, closeMsMax }: { readonly clock: Clock; readonly log: Logger; readonly closeMsMax: number }): Promise<void> {
  let open = true;
  const closed = new Promise<void>((resolve) => {
    // Node removes a unix socket's file itself.
    server.close(() => {
      open = false;
      resolve();
    });
  });
  const end = clock.monotonic() + closeMsMax;
  while (open && clock.monotonic() < end) {
    // A connection becomes idle, and closable, when its last answer is out.
    server.closeIdleConnections();
    await Promise.race([closed, sleep(clock, closePollMs)]);
  }
  if (open) {
    log.warn("cutting connections that did not end", { afterMs: closeMsMax, connections: sockets.size });
    for (const socket of sockets) socket.destroy();
    await closed;
  }
}

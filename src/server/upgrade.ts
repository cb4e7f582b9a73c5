import { STATUS_CODES, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { commandProtocols } from "../api/remote-command.ts";
import { groupPath, kindPaths } from "../api/paths.ts";
import { StatusError } from "../api/status-error.ts";
import type { AppEnv } from "./app-env.ts";
import type { Commands, CommandWish } from "./commands.ts";
import { serveCommand } from "./command-socket.ts";
import { createLifetime } from "./lifetime.ts";
import { Query } from "./query.ts";
import { defaultHosts, guardRequest } from "./request-guard.ts";
import { toStatusError, unknownPath } from "./status-response.ts";

/** Upgraded connections at once, and bytes of one message: kubectl sends at most 32 KiB. */
const socketsMax = 256;
const messageBytesMax = 1024 * 1024;
const sessionMsMax = 24 * 3600 * 1000;

/** Takes over a connection that asks to become another protocol. Never throws. `stopping` aborts when the server stops. */
export type Upgrader = (request: IncomingMessage, socket: Duplex, head: Buffer, stopping: AbortSignal) => void;

export interface UpgraderOptions {
  readonly commands: Commands;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hosts?: readonly string[] | undefined;
}

const commandKinds = { workspaces: "Workspace", services: "Service" } as const;
const commandRoot = groupPath(kindPaths.Workspace);
const commandPath = new RegExp(`^${commandRoot.replaceAll(".", "\\.")}/namespaces/([^/]+)/(workspaces|services)/([^/]+)/exec$`);

/** Without an upgrade the paths of commands say what they need. */
export function addCommandPaths(app: Hono<AppEnv>): void {
  for (const plural of Object.keys(commandKinds)) {
    app.all(`${commandRoot}/namespaces/:namespace/${plural}/:name/exec`, () => {
      throw new StatusError("BadRequest", "Upgrade request required");
    });
  }
}

/** `…/workspaces/:name/exec` and `…/services/:name/exec` over WebSocket, as a pod's exec in Kubernetes. */
export function createUpgrader({ commands, clock, log, hosts = defaultHosts }: UpgraderOptions): Upgrader {
  const server = new WebSocketServer({
    noServer: true, perMessageDeflate: false, maxPayload: messageBytesMax,
    handleProtocols: (offered) => commandProtocols.find((each) => offered.has(each)) ?? false,
  });

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer, stopping: AbortSignal) => {
    const { wish, stdin } = readWish(request, hosts);
    if (server.clients.size >= socketsMax) throw new StatusError("TooManyRequests", `${socketsMax} commands are connected already; end one of them`);
    const lifetime = createLifetime(clock, sessionMsMax, stopping);
    socket.once("close", lifetime.end);
    const command = await commands({ ...wish, signal: lifetime.signal });
    if (socket.destroyed) return command.kill("SIGKILL");
    server.handleUpgrade(request, socket, head, (peer) => {
      void serveCommand(peer, command, { stdin, clock, stopping: lifetime.signal }).finally(lifetime.end);
    });
  };

  return (request, socket, head, stopping) => {
    // Until the upgrade is done nobody else listens; after it ws does, too.
    socket.on("error", (error) => log.debug("upgraded connection broke", { error: error.message }));
    upgrade(request, socket, head, stopping).catch((error: unknown) => refuse(socket, toStatusError(error, log)));
  };
}

function readWish(request: IncomingMessage, hosts: readonly string[]): { readonly wish: Omit<CommandWish, "signal">; readonly stdin: boolean } {
  const url = URL.canParse(request.url ?? "", "http://localhost") ? new URL(request.url!, "http://localhost") : undefined;
  if (url === undefined) throw new StatusError("BadRequest", "Cannot read the request's path");
  const headers = new Headers(Object.entries(request.headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value] as [string, string]] : [])));
  guardRequest({ headers, url: url.href }, hosts);
  const [, namespace, plural, name] = commandPath.exec(url.pathname) ?? [];
  if (namespace === undefined || plural === undefined || name === undefined) throw unknownPath();
  if (request.method !== "GET" || headers.get("upgrade")?.toLowerCase() !== "websocket") throw new StatusError("BadRequest", "Upgrade to WebSocket required");
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((each) => each.trim());
  if (!commandProtocols.some((each) => offered.includes(each))) throw new StatusError("BadRequest", `Cannot speak the offered protocols; this server speaks ${commandProtocols.join(", ")}`);
  const argv = url.searchParams.getAll("command");
  if (argv.length === 0) throw new StatusError("BadRequest", "you must specify at least one command for the container");
  const query = new Query(url.href);
  const kind = commandKinds[plural as keyof typeof commandKinds];
  return { wish: { kind, ref: { namespace: decodeURIComponent(namespace), name: decodeURIComponent(name) }, argv, terminal: query.flag("tty") }, stdin: query.flag("stdin") };
}

/** An answer by hand: the connection was given up by Node's HTTP server. */
export function refuse(socket: Duplex, error: StatusError): void {
  const body = `${JSON.stringify(error.toStatus())}\n`;
  socket.end(`HTTP/1.1 ${error.code} ${STATUS_CODES[error.code] ?? ""}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}

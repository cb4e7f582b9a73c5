import { STATUS_CODES, type IncomingMessage } from "node:http";
import { Readable, Writable, type Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer, type WebSocket } from "ws";
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import { channelForwardProtocol, commandProtocols, forwardProtocols } from "../api/remote-command.ts";
import { StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { AppEnv } from "./app-env.ts";
import type { Commands, RunningCommand } from "./commands.ts";
import { serveCommand } from "./command-socket.ts";
import { serveSpdyCommand } from "./command-spdy.ts";
import { createLifetime, type Lifetime } from "./lifetime.ts";
import { servePortForward, type Dial } from "./port-forward.ts";
import { servePortSocket } from "./port-socket.ts";
import { defaultHosts } from "./request-guard.ts";
import type { ServiceLogs } from "./service-log.ts";
import { toStatusError } from "./status-response.ts";
import { readUpgrade, upgradePaths, type ReadUpgrade, type UpgradeWish } from "./upgrade-wish.ts";

/** Upgraded connections at once, and bytes of one message: kubectl sends at most 32 KiB. */
const socketsMax = 256;
const messageBytesMax = 1024 * 1024;
const sessionMsMax = 24 * 3600 * 1000;

/** Takes over a connection that asks to become another protocol. Never throws. `stopping` aborts when the server stops. */
export type Upgrader = (request: IncomingMessage, socket: Duplex, head: Buffer, stopping: AbortSignal) => void;

export interface UpgraderOptions {
  /** Has Pods too. */
  readonly store: Pick<Store, "get">;
  readonly commands: Commands;
  readonly logs: ServiceLogs;
  readonly dial: Dial;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hosts?: readonly string[] | undefined;
}

/** Without an upgrade these paths say what they need. */
export function addUpgradePaths(app: Hono<AppEnv>): void {
  for (const { root, plural, verbs } of upgradePaths) {
    for (const verb of verbs) {
      app.all(`${root}/namespaces/:namespace/${plural}/:name/${verb}`, () => {
        throw new StatusError("BadRequest", "Upgrade request required");
      });
    }
  }
}

/**
 * `…/workspaces/:name/exec`, `…/services/:name/exec` and a Pod's exec, attach and portforward, over WebSocket and, for
 * older clients, over SPDY/3.1. What can be refused is refused before the upgrade, as a Status.
 */
export function createUpgrader(options: UpgraderOptions): Upgrader {
  const { clock, log, store, hosts = defaultHosts } = options;
  const commandSockets = socketServer(commandProtocols);
  const forwardSockets = socketServer(forwardProtocols);
  let open = 0;

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer, stopping: AbortSignal) => {
    if (open >= socketsMax) throw new StatusError("TooManyRequests", `${socketsMax} commands and forwards are connected already; end one of them`);
    open++;
    const lifetime = createLifetime(clock, sessionMsMax, stopping);
    socket.once("close", () => {
      open--;
      lifetime.end();
    });
    const asked = await readUpgrade(request, hosts, store);
    const { wish, wire } = asked;
    if (wish.kind === "forward") {
      const parts = { pod: wish.pod, dial: options.dial, clock, log, stopping: lifetime.signal };
      const serve = (transport: Duplex) => void servePortForward(transport, parts).finally(lifetime.end);
      if (wire.kind === "spdy") return serve(acceptSpdy(socket, head, wire.protocol));
      return forwardSockets.handleUpgrade(request, socket, head, (peer) => {
        if (peer.protocol === channelForwardProtocol) void servePortSocket(peer, wish.ports, parts).finally(lifetime.end);
        else serve(bytesOf(peer));
      });
    }
    const command = await begin(options, wish, lifetime);
    if (socket.destroyed) return command.kill("SIGKILL");
    serveBoth(asked, command, lifetime, { request, socket, head });
  };

  const serveBoth = ({ wish, wire, streams }: ReadUpgrade, command: RunningCommand, lifetime: Lifetime, { request, socket, head }: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer }) => {
    const common = { ...streams, clock, stopping: lifetime.signal };
    const terminal = wish.kind === "exec" && wish.wish.terminal;
    if (wire.kind === "spdy") return void serveSpdyCommand(acceptSpdy(socket, head, wire.protocol), command, { ...common, terminal }).finally(lifetime.end);
    commandSockets.handleUpgrade(request, socket, head, (peer) => void serveCommand(peer, command, common).finally(lifetime.end));
  };

  return (request, socket, head, stopping) => {
    // Until the upgrade is done nobody else listens; after it ws does, too.
    socket.on("error", (error) => log.debug("upgraded connection broke", { error: error.message }));
    upgrade(request, socket, head, stopping).catch((error: unknown) => refuse(socket, toStatusError(error, log)));
  };
}

function socketServer(protocols: readonly string[]): WebSocketServer {
  return new WebSocketServer({
    noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: messageBytesMax,
    handleProtocols: (offered) => protocols.find((each) => offered.has(each)) ?? false,
  });
}

async function begin({ commands, logs }: UpgraderOptions, wish: Exclude<UpgradeWish, { kind: "forward" }>, { signal }: Lifetime): Promise<RunningCommand> {
  return wish.kind === "exec" ? await commands({ ...wish.wish, signal }) : await outputOf(logs, wish.service, signal);
}

/** What a Service says from now on, as a command that only prints. It has no stdin to give anything to. */
async function outputOf(logs: ServiceLogs, service: NamespacedName, signal: AbortSignal): Promise<RunningCommand> {
  const opened = await logs(service, { follow: true, tailLines: 0, signal });
  const stdout = opened instanceof Readable ? opened : Readable.fromWeb(opened as Parameters<typeof Readable.fromWeb>[0]);
  const exit = new Promise<{ readonly code: number; readonly signal: undefined }>((resolve) => stdout.once("close", () => resolve({ code: 0, signal: undefined })));
  const stdin = new Writable({ write: (_chunk, _encoding, done) => done() });
  return { stdin, stdout, stderr: Readable.from([]), exit, kill: () => void stdout.destroy() };
}

/** The bytes of all binary messages as one stream, with its back-pressure both ways. */
function bytesOf(socket: WebSocket): Duplex {
  return createWebSocketStream(socket, { allowHalfOpen: true });
}

function acceptSpdy(socket: Duplex, head: Buffer, protocol: string): Duplex {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\nx-stream-protocol-version: ${protocol}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/** An answer by hand: the connection was given up by Node's HTTP server. */
export function refuse(socket: Duplex, error: StatusError): void {
  const body = `${JSON.stringify(error.toStatus())}\n`;
  socket.end(`HTTP/1.1 ${error.code} ${STATUS_CODES[error.code] ?? ""}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}

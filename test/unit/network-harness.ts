import { request, type Agent } from "node:https";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { silentLogger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system.ts";
import { keepCredentials, type Credentials } from "../../src/server/credentials.ts";
import { listenOnLoopback, type NetworkListener, type NetworkListenOptions } from "../../src/server/network-listener.ts";
import { testApp, type TestApp } from "./server-harness.ts";

export interface Way {
  readonly port: number;
  /** PEM of who is trusted. */
  readonly ca: string;
  readonly token?: string | undefined;
  readonly host?: string | undefined;
  readonly agent?: Agent | undefined;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Opens a request over TLS, whose certificate is verified, and answers the head of what comes back. */
export function open({ port, ca, token, host = "127.0.0.1", agent }: Way, path: string, { method = "GET", headers = {} }: Ask = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Against where it was dialled: Node takes a Host header's word for it.
    const sent = request({ host, port, ca, servername: "", checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate), path, method, agent: agent ?? false, headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers } }, resolve);
    sent.on("error", reject);
    sent.end();
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** The whole answer. Rejects when it is cut off. */
export async function ask(way: Way, path: string, options?: Ask): Promise<Answer> {
  const response = await open(way, path, options);
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk as string;
  return { status: response.statusCode!, headers: response.headers, text };
}

/** A TLS connection, byte for byte. */
export function tls({ port, ca }: Way): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, ca }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** All that comes until the other end closes. */
export function all(socket: TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

export interface NetworkServer extends TestApp {
  readonly listener: NetworkListener;
  readonly credentials: Credentials;
  /** With the token. */
  readonly way: Way;
  /** Makes other credentials, of the same files. */
  remake(rotation: Parameters<typeof keepCredentials>[3]): Promise<Credentials>;
  stop(): Promise<void>;
}

/** App and HTTPS listener on a free port, over a memory store. */
export async function networkServer(options: Parameters<typeof testApp>[0] & Partial<Pick<NetworkListenOptions, "upgrade" | "app" | "limits">> = {}): Promise<NetworkServer> {
  const made = testApp(options);
  const directory = await mkdtemp(join(tmpdir(), "vendetta-"));
  const remake = (rotation?: Parameters<typeof keepCredentials>[3]) => keepCredentials(join(directory, "pki"), systemClock.now(), silentLogger, rotation);
  const credentials = await remake();
  const listener = await listenOnLoopback({ app: options.app ?? made.app, upgrade: options.upgrade, limits: options.limits, ports: [0, 0, 0], credentials, log: silentLogger, clock: systemClock });
  return {
    ...made,
    listener,
    credentials,
    way: { port: listener.port, ca: credentials.authorityCertificate, token: credentials.token },
    remake,
    async stop() {
      await listener.close();
      await rm(directory, { recursive: true });
    },
  };
}

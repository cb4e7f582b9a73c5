import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { codeOf, messageOf } from "../base/errors.ts";
import { createBearerAuthenticate, type Authenticate } from "./bearer-token.ts";
import type { Credentials } from "./credentials.ts";
import { createEnd, edgeServerOptions, serveHttp, type Caller, type EdgeOptions, type HttpEdge } from "./http-edge.ts";
import { serverLimits, type ServerLimits } from "./limits.ts";

export interface NetworkListenOptions extends EdgeOptions {
  /** Tried in their order until one is free; 0 is any free one. */
  readonly ports: Iterable<number>;
  readonly credentials: Credentials;
}

export interface NetworkListener {
  readonly port: number;
  /** `127.0.0.1:6440`, and `[::1]:6440` where this machine has it. */
  readonly addresses: readonly string[];
  /** Serves by these from now on. Connections stay; with a new token the streams of the old one end and its requests are refused. */
  use(credentials: Credentials): void;
  /** Stops accepting, ends streams, lets running requests finish for up to 5 s, cuts the rest. Idempotent. */
  close(): Promise<void>;
}

/** None of the ports could be had: each is another process's. */
export class PortsTakenError extends Error {
  override readonly name = "PortsTakenError";
}

/**
 * Serves the app over HTTPS on the loopback interface, to whoever has the token. HTTP/1.1 only: upgrades need it, and HTTP/2
 * was measured to be no gain (ARCHITECTURE.md, "Decisions").
 * @throws PortsTakenError; Error when there is no loopback interface
 */
export async function listenOnLoopback({ ports, credentials, ...options }: NetworkListenOptions): Promise<NetworkListener> {
  const { log, limits = serverLimits } = options;
  let access = accessOf(credentials.token);
  const edges = new Map<Server, HttpEdge>();
  const make = (): Server => {
    const { key, certificate } = credentials.serving;
    const server = createServer({ ...edgeServerOptions(limits), ...tlsOptions(limits), key, cert: certificate });
    edges.set(server, serveHttp(server, (request): Caller => ({ user: access.authenticate(request.headers.authorization), signal: access.ended.signal }), options));
    return server;
  };
  const { port, servers } = await bindFirst(ports, make);
  for (const server of servers) server.on("error", (error) => log.error("listener failed", { port, error: messageOf(error) }));
  const addresses = servers.map(addressOf);
  log.info("listening", { addresses });

  let closing: Promise<void> | undefined;
  return {
    port,
    addresses,
    use({ serving, token }) {
      for (const server of servers) server.setSecureContext({ key: serving.key, cert: serving.certificate, minVersion });
      if (access.token === token) return;
      access.ended.abort();
      access = accessOf(token);
      // A rotation that was under way while the server began to stop.
      if (closing !== undefined) access.ended.abort();
    },
    close() {
      access.ended.abort();
      return (closing ??= Promise.all(servers.map((server) => edges.get(server)!.close())).then(() => undefined));
    },
  };
}

/** A token, and the end of all that was begun with it. */
interface Access {
  readonly token: string;
  readonly authenticate: Authenticate;
  readonly ended: AbortController;
}

function accessOf(token: string): Access {
  return { token, authenticate: createBearerAuthenticate(token), ended: createEnd() };
}

const minVersion = "TLSv1.2";

function tlsOptions({ tlsHandshakeMsMax }: ServerLimits) {
  return { handshakeTimeout: tlsHandshakeMsMax, minVersion, ALPNProtocols: ["http/1.1"] } as const;
}

async function bindFirst(ports: Iterable<number>, make: () => Server): Promise<{ readonly port: number; readonly servers: readonly Server[] }> {
  const tried: number[] = [];
  for (const each of ports) {
    const servers = await bindBoth(each, make);
    if (servers !== undefined) return { port: portOf(servers[0]), servers };
    tried.push(each);
  }
  const which = tried.length === 1 ? `port ${tried[0]!} is` : `ports ${tried[0]!} to ${tried.at(-1)!} are`;
  throw new PortsTakenError(`Cannot listen on 127.0.0.1: ${which} taken by another process`);
}

/** Both loopback addresses at one port, or the one there is; undefined when somebody has the port on either. */
async function bindBoth(port: number, make: () => Server): Promise<readonly [Server, ...Server[]] | undefined> {
  const first = make();
  if ((await bind(first, "127.0.0.1", port)) === "taken") return undefined;
  const second = make();
  try {
    switch (await bind(second, "::1", portOf(first))) {
      case "bound":
        return [first, second];
      case "absent":
        return [first];
      case "taken":
        first.close();
        return undefined;
    }
  } catch (error) {
    first.close();
    throw error;
  }
}

function bind(server: Server, host: "127.0.0.1" | "::1", port: number): Promise<"bound" | "taken" | "absent"> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      const code = codeOf(error);
      if (code === "EADDRINUSE") resolve("taken");
      else if (host === "::1" && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT")) resolve("absent");
      else reject(new Error(`Cannot listen on ${host}, port ${port}: ${code === "EACCES" ? "permission denied; choose one of 1024 and above" : messageOf(error)}`, { cause: error }));
    };
    server.once("error", fail);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", fail);
      resolve("bound");
    });
  });
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
}

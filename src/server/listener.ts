import { chmod } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { messageOf } from "../base/errors.ts";
import { createEnd, edgeServerOptions, serveHttp, type EdgeOptions } from "./http-edge.ts";
import { serverLimits } from "./limits.ts";
import { claimSocketPath } from "./socket-path.ts";
import { administrator } from "./user.ts";

export interface ListenOptions extends EdgeOptions {
  /** At most 107 bytes. */
  readonly socketPath: string;
}

export interface Listener {
  readonly socketPath: string;
  /** Stops accepting, ends streams, lets running requests finish for up to 5 s, cuts the rest, removes the socket. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves the app on a unix socket only this user can reach (directory 0700, socket 0600), who need not prove anything else.
 * @throws Error when the place is taken or unfit (see `claimSocketPath`)
 */
export async function listen({ socketPath, ...options }: ListenOptions): Promise<Listener> {
  const { log, clock, limits = serverLimits } = options;
  await claimSocketPath(socketPath, clock);
  const stopping = createEnd();
  const server = createServer(edgeServerOptions(limits));
  const edge = serveHttp(server, () => ({ user: administrator, signal: stopping.signal }), options);
  await listening(server, socketPath);
  server.on("error", (error) => log.error("listener failed", { socketPath, error: messageOf(error) }));
  await chmod(socketPath, 0o600);
  log.info("listening", { socketPath });

  let closing: Promise<void> | undefined;
  return {
    socketPath,
    close() {
      stopping.abort();
      return (closing ??= edge.close());
    },
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

import { createServer, type Server, type Socket } from "node:net";
import { codeOf, messageOf } from "../base/errors.ts";
import { inUseDetail, listenError } from "./listen-error.ts";
import { listenerConnectionsMax, TransportError, type Listener } from "./transport.ts";

/** `Transport.listen` on this machine. */
export function listenHere(port: number, onConnection: (connection: Socket) => void, signal: AbortSignal): Promise<Listener> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.maxConnections = listenerConnectionsMax;
    server.on("connection", onConnection);
    server.once("error", (error) => reject(failure(port, error)));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      server.removeAllListeners("error");
      const ended = endOf(server, signal);
      if (signal.aborted) return reject(signal.reason as Error);
      resolve({ port: (server.address() as { readonly port: number }).port, ended });
    });
  });
}

function endOf(server: Server, signal: AbortSignal): Promise<TransportError | undefined> {
  return new Promise((resolve) => {
    const end = (why?: TransportError) => {
      signal.removeEventListener("abort", onAbort);
      // The port is free at once; the server's own "close" waits for every connection.
      server.close();
      resolve(why);
    };
    const onAbort = () => end();
    server.once("error", (error) => end(new TransportError(`lost a listening socket: ${messageOf(error)}`, false, { cause: error })));
    if (signal.aborted) end();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function failure(port: number, error: Error): TransportError {
  const code = codeOf(error) ?? "EIO";
  const detail = code === "EADDRINUSE" ? inUseDetail(port) : code === "EACCES" ? "permission denied; ports below 1024 are root's" : messageOf(error);
  return listenError(port, "this machine", code, detail, error);
}

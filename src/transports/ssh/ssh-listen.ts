import { setMaxListeners } from "node:events";
import type { Duplex } from "node:stream";
import { inUseDetail, listenError } from "../listen-error.ts";
import { listenerConnectionsMax, TransportError, type Listener, type Transport } from "../transport.ts";
import { duplexOf } from "./channel-streams.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { endWith } from "./ssh-dial.ts";
import { SshError } from "./ssh-error.ts";
import type { SshLink } from "./ssh-link.ts";
import { nameOfMachine, type SshOptions } from "./ssh-options.ts";
import { bind, canBind, isListenedOn, listenedOn, readTable, unbind } from "./ssh-ports.ts";

/** `Transport.listen` over a link. */
export interface SshListen {
  readonly listen: Transport["listen"];
  /** Ends every listener and every connection that one has handed over. */
  end(): void;
}

/** sshd listens (RFC 4254, 7), and no session of it is held. */
export function createSshListen(options: SshOptions, link: SshLink, run: Transport["run"]): SshListen {
  const where = nameOfMachine(options);
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const connections = new Set<Duplex>();

  const listenOver = async (connection: SshConnection, port: number, onConnection: (connection: Duplex) => void, signal: AbortSignal): Promise<Listener> => {
    if (port !== 0 && isListenedOn((await readTable(run)).stdout, port)) throw listenError(port, where, "EADDRINUSE", inUseDetail(port));
    const bound = await bind(connection, port);
    if (bound === undefined) throw await whyNot(connection, where, port);
    try {
      await verify(run, where, bound);
      signal.throwIfAborted();
    } catch (error) {
      await unbind(connection, bound);
      throw error;
    }
    const open = new Set<Duplex>();
    connection.takers.set(bound, (accept, refuse) => {
      if (open.size >= listenerConnectionsMax) return refuse();
      const duplex = duplexOf(accept());
      endWith(connection, duplex);
      for (const held of [open, connections]) {
        held.add(duplex);
        duplex.once("close", () => held.delete(duplex));
      }
      onConnection(duplex);
    });
    return { port: bound, ended: endOf(connection, bound, signal) };
  };

  return {
    listen: (port, onConnection, signal) => {
      const either = AbortSignal.any([signal, closing.signal]);
      return link.use((connection) => listenOver(connection, port, onConnection, either), either);
    },
    end() {
      closing.abort(new SshError("Closed", `the way to ${where} is closed`, false));
      for (const duplex of connections) duplex.destroy();
    },
  };
}

/** sshd says only that it does not. */
async function whyNot(connection: SshConnection, where: string, port: number): Promise<TransportError> {
  if (port !== 0 && (await canBind(connection, 0))) {
    return port < 1024
      ? listenError(port, where, "EACCES", "sshd refused it; ports below 1024 are root's there")
      : listenError(port, where, "EACCES", "sshd refused it, and nobody is known to listen there; PermitListen in its sshd_config may name other ports");
  }
  return listenError(port, where, "ENOTSUP", "its sshd listens for nobody; set AllowTcpForwarding to yes or remote in its sshd_config (and DisableForwarding to no)");
}

/** What sshd calls bound may be so on other addresses. @throws TransportError */
async function verify(run: Transport["run"], where: string, port: number): Promise<void> {
  const { stdout } = await readTable(run);
  // Without a table its word has to do.
  if (stdout === "") return;
  const by = listenedOn(stdout, port);
  if (by === "all") throw listenError(port, where, "ENOTSUP", "its sshd would listen on all addresses, for everybody in reach; set GatewayPorts to no or clientspecified in its sshd_config");
  if (by === undefined) throw listenError(port, where, "EACCES", "sshd listens, but not on 127.0.0.1");
}

function endOf(connection: SshConnection, port: number, signal: AbortSignal): Promise<TransportError | undefined> {
  return new Promise((resolve) => {
    const end = (told: Promise<TransportError | undefined>) => {
      signal.removeEventListener("abort", onAbort);
      connection.lost.removeEventListener("abort", onLost);
      connection.takers.delete(port);
      resolve(told);
    };
    // With the connection its listeners go, so there is nothing left to be told.
    const onAbort = () => end(unbind(connection, port).then(() => undefined, () => undefined));
    const onLost = () => end(Promise.resolve(connection.lost.reason as TransportError));
    signal.addEventListener("abort", onAbort, { once: true });
    connection.lost.addEventListener("abort", onLost, { once: true });
    if (connection.lost.aborted) onLost();
    else if (signal.aborted) onAbort();
  });
}

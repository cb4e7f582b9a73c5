import type { Duplex } from "node:stream";
import type { Channel } from "ssh2";
import { messageOf } from "../../base/errors.ts";
import { TransportError, type DialTarget, type Transport } from "../transport.ts";
import { duplexOf } from "./channel-streams.ts";
import { codeOfText, dialError, placeOf } from "./dial-error.ts";
import { relay } from "./relay.ts";
import type { SshConnection } from "./ssh-connection.ts";
import type { SshLink } from "./ssh-link.ts";
import { nameOfMachine, type SshOptions } from "./ssh-options.ts";

/** Reason codes of RFC 4254, 5.1. */
const connectFailed = 2;

/** `Transport.dial` over a link. */
export interface SshDial {
  readonly dial: Transport["dial"];
  /** Ends every connection that was carried. */
  end(): void;
}

export function createSshDial(options: SshOptions, link: SshLink, exec: Transport["exec"]): SshDial {
  const where = nameOfMachine(options);
  const dialed = new Set<Duplex>();
  /** Kinds that the sshd of this connection does not carry. */
  const refused = new WeakMap<SshConnection, Set<"unix" | "tcp">>();

  const byProgram = async (connection: SshConnection, target: DialTarget, signal: AbortSignal, sshdSaid: string): Promise<Duplex> => {
    const kind = "socketPath" in target ? "unix" : "tcp";
    const result = await relay(exec, target, signal);
    if ("connection" in result) {
      // The way is there, so it is sshd that does not go it: the next one need not ask.
      refused.set(connection, new Set(refused.get(connection)).add(kind));
      return result.connection;
    }
    if (result.code !== "ENOSYS") throw dialError(target, where, result.code);
    const option = kind === "unix" ? "AllowStreamLocalForwarding" : "AllowTcpForwarding";
    throw new TransportError(`cannot connect to ${placeOf(target)} from ${where}: sshd did not carry it (${sshdSaid}), and neither python3 nor socat is there to do so; if something listens there, set ${option} yes in its sshd_config`, false, { cause: Object.assign(new Error(sshdSaid), { code: "ECONNREFUSED" }) });
  };

  const dialOver = async (connection: SshConnection, target: DialTarget, signal: AbortSignal): Promise<Duplex> => {
    const kind = "socketPath" in target ? "unix" : "tcp";
    if (refused.get(connection)?.has(kind) === true) return await byProgram(connection, target, signal, "it said so before");
    try {
      const duplex = duplexOf(await forward(connection, target, signal));
      endWith(connection, duplex);
      return duplex;
    } catch (error) {
      const { reason } = error as { readonly reason?: unknown };
      const said = messageOf(error).replace(/^\(SSH\) Channel open failure: /, "");
      if (error instanceof TransportError || signal.aborted) throw error;
      if (reason === undefined) throw new TransportError(`cannot connect to ${placeOf(target)} from ${where}: ${said}`, false, { cause: error });
      // For TCP sshd tells a refused forward from a failed one; for a unix socket it says "open failed" to both.
      if (kind === "tcp" && reason === connectFailed) throw dialError(target, where, codeOfText(said) ?? "ECONNREFUSED", said);
      return await byProgram(connection, target, signal, said);
    }
  };

  return {
    async dial(target, signal) {
      const duplex = await link.use((connection) => dialOver(connection, target, signal), signal);
      dialed.add(duplex);
      duplex.once("close", () => dialed.delete(duplex));
      return duplex;
    },
    end() {
      for (const duplex of dialed) duplex.destroy();
    },
  };
}

/** Opens direct-tcpip (RFC 4254, 7.2) or direct-streamlocal@openssh.com (OpenSSH's PROTOCOL, 2.4). @throws ssh2's error with a `reason`, SshError, the signal's reason */
function forward(connection: SshConnection, target: DialTarget, signal: AbortSignal): Promise<Channel> {
  const opening = new Promise<Channel>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    const opened = (error: Error | undefined, channel: Channel) => {
      signal.removeEventListener("abort", onAbort);
      if (error !== undefined) reject(error);
      else if (signal.aborted) channel.close();
      else resolve(channel);
    };
    if ("socketPath" in target) connection.client.openssh_forwardOutStreamLocal(target.socketPath, opened);
    else connection.client.forwardOut("127.0.0.1", 0, target.host, target.port, opened);
  });
  return connection.unlessLost(opening, false);
}

/** Without the connection it breaks; it does not merely end. Whoever it is for may not listen yet, and nobody must. */
export function endWith(connection: SshConnection, duplex: Duplex): void {
  duplex.on("error", () => {});
  const onLost = () => void duplex.destroy(connection.lost.reason as Error);
  connection.lost.addEventListener("abort", onLost, { once: true });
  duplex.once("close", () => connection.lost.removeEventListener("abort", onLost));
}

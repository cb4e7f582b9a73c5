import type { Transport } from "../transport.ts";
import { TransportError } from "../transport.ts";
import type { SshConnection } from "./ssh-connection.ts";
import type { SshLink } from "./ssh-link.ts";
import { nameOfMachine, type SshOptions } from "./ssh-options.ts";

const tableMsMax = 10_000;
/** Some hundred thousand sockets. */
const tableBytesMax = 32 * 1024 * 1024;
/** State "listening" of /proc/net/tcp. */
const listening = "0A";

/**
 * `Transport.isPortFree` over a link. First by the kernel's table of listening sockets: some servers (dropbear) call a port theirs
 * that they got on ::1 only. Then sshd itself is asked to bind it, for a forward that is taken back at once (RFC 4254, 7.1).
 */
export function createIsPortFree(options: SshOptions, link: SshLink, run: Transport["run"]): Transport["isPortFree"] {
  const where = nameOfMachine(options);
  return async (port) => {
    const { stdout, stderr } = await readTable(run);
    if (isListenedOn(stdout, port)) return false;
    return await link.use(async (connection) => {
      if (await canBind(connection, port)) return true;
      // Refused, because it cannot be bound, or because sshd binds nothing at all?
      if (await canBind(connection, 0)) return false;
      // Without IPv6 there is no second table.
      if (stdout === "") throw new TransportError(`cannot try port ${port} on ${where}: its sshd forwards no ports (AllowTcpForwarding), and there is no table of them: ${stderr.trim()}`, false);
      return true;
    });
  };
}

/** The kernel's tables of TCP sockets (proc(5), /proc/net/tcp); empty where there are none. @throws TransportError, TimeoutError */
export function readTable(run: Transport["run"]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return run(["cat", "/proc/net/tcp", "/proc/net/tcp6"], { timeoutMs: tableMsMax, outputBytesMax: tableBytesMax });
}

/** Whether somebody listens on that port of 127.0.0.1, or of all addresses. */
export function isListenedOn(table: string, port: number): boolean {
  return listenedOn(table, port) !== undefined;
}

/** By which address 127.0.0.1:port is listened on: its own, or all that the machine has. */
export function listenedOn(table: string, port: number): "loopback" | "all" | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const found = table.split("\n").flatMap((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    if (state !== listening || local === undefined || !local.endsWith(suffix)) return [];
    return /^0+:/.test(local) ? ["all" as const] : /^(0000000000000000FFFF0000)?0100007F:/.test(local) ? ["loopback" as const] : [];
  });
  return found.includes("all") ? "all" : found[0];
}

/** Whether sshd binds that port of 127.0.0.1 for us. It is given back at once. @throws SshError */
export async function canBind(connection: SshConnection, port: number): Promise<boolean> {
  const bound = await bind(connection, port);
  if (bound === undefined) return false;
  await unbind(connection, bound);
  return true;
}

/** Has sshd listen on that port of 127.0.0.1 (RFC 4254, 7.1). Undefined: it does not, and says nothing of why. @throws SshError */
export function bind(connection: SshConnection, port: number): Promise<number | undefined> {
  const bound = new Promise<number | undefined>((resolve) => void connection.client.forwardIn("127.0.0.1", port, (error, realPort) => resolve(error === undefined || error === null ? realPort : undefined)));
  return connection.unlessLost(bound, false);
}

/** Has sshd listen there no more; one that does not do so any way is no error. @throws SshError */
export function unbind(connection: SshConnection, port: number): Promise<void> {
  return connection.unlessLost(new Promise<void>((resolve) => void connection.client.unforwardIn("127.0.0.1", port, () => resolve())), false);
}

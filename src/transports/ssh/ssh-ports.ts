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
    const { stdout, stderr } = await run(["cat", "/proc/net/tcp", "/proc/net/tcp6"], { timeoutMs: tableMsMax, outputBytesMax: tableBytesMax });
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

/** Whether somebody listens on that port of 127.0.0.1, or of all addresses (proc(5), /proc/net/tcp). */
export function isListenedOn(table: string, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === listening && local !== undefined && local.endsWith(suffix) && (/^0+:/.test(local) || /^(0000000000000000FFFF0000)?0100007F:/.test(local));
  });
}

function canBind({ client, unlessLost }: SshConnection, port: number): Promise<boolean> {
  const bound = new Promise<boolean>((resolve) => {
    client.forwardIn("127.0.0.1", port, (error, realPort) => {
      if (error !== undefined && error !== null) return resolve(false);
      client.unforwardIn("127.0.0.1", realPort, () => resolve(true));
    });
  });
  return unlessLost(bound, false);
}

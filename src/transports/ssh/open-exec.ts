import type { ClientChannel, ExecOptions as Ssh2ExecOptions } from "ssh2";
import { messageOf } from "../../base/errors.ts";
import { TransportError } from "../transport.ts";
import { SessionDropped, SessionRefused, type Session } from "./session-budget.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { SshError } from "./ssh-error.ts";

/** Reason codes of RFC 4254, 5.1. OpenSSH says "connect failed" when MaxSessions is reached. */
const refusals: readonly unknown[] = [1, 2, 4];

/**
 * dropbear (2022.83, `sesscheckclose`) closes a session that it has not been told the command of when the command of another one ends
 * at that very moment. ssh2 then says of what it has just asked that it was refused, or that there is nobody to ask any more.
 */
const whenClosed: readonly string[] = ["Unable to request a pseudo-terminal", "Unable to exec", "Channel is not open"];

/** Opens a session for `exec`, when there is room for one. @throws TransportError (mayHaveRun false: nothing was asked of a shell), the signal's reason */
export function openExec(connection: SshConnection, command: string, pty: Ssh2ExecOptions["pty"] | undefined, signal: AbortSignal | undefined): Promise<Session<ClientChannel>> {
  return connection.sessions.take(() => {
    const opening = new Promise<ClientChannel>((resolve, reject) => {
      connection.client.exec(command, pty === undefined ? {} : { pty }, (error, channel) => {
        if (error === undefined) resolve(channel);
        // No shell has seen a line yet.
        else if (whenClosed.includes(error.message)) reject(new SessionDropped(error.message, { cause: error }));
        else reject(asRefusal(error));
      });
    });
    return connection.unlessLost(asTransportError(opening, "cannot open a session"), false);
  }, signal);
}

/** An error of ssh2's opening a channel: refused for want of room, or for another reason. */
export function asRefusal(error: Error): Error {
  const { reason } = error as Error & { readonly reason?: unknown };
  return refusals.includes(reason) ? new SessionRefused(error.message, { cause: error }) : error;
}

export async function asTransportError<T>(opening: Promise<T>, what: string): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (error instanceof SessionRefused || error instanceof SessionDropped || error instanceof SshError) throw error;
    throw new TransportError(`${what}: ${messageOf(error)}`, false, { cause: error });
  }
}

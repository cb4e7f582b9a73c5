import type { ClientChannel } from "ssh2";
import type { Clock } from "../../base/clock.ts";
import { endOf, type ChannelEnd } from "./channel-end.ts";
import { openExec } from "./open-exec.ts";
import { bootstrap, preamble } from "./remote-script.ts";
import type { Session } from "./session-budget.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { untilAborted } from "../../base/until-aborted.ts";

/** A spare shell waits so long for a command. */
const spareMsMax = 30_000;

/** A shell on the machine that waits for the line that makes it a command. */
export interface ShellSession {
  readonly channel: ClientChannel;
  readonly end: ChannelEnd;
  /** Whether it has waited already, and may have ended meanwhile without our having heard of it. */
  readonly isSpare: boolean;
}

/**
 * Shells to become commands. One is opened ahead: two of three ways to and fro, and the login shell's start, are over
 * before the command is asked for. It has a session only while nobody waits for one.
 */
export interface ShellSessions {
  /** The spare one, or else one of now. @throws TransportError (mayHaveRun false), the signal's reason */
  take(connection: SshConnection, signal: AbortSignal | undefined): Promise<ShellSession>;
  /** @throws as `take` */
  open(connection: SshConnection, signal: AbortSignal | undefined): Promise<ShellSession>;
  /** Opens the next one ahead, if there is room. */
  prepare(connection: SshConnection): void;
}

interface Spare {
  readonly opening: Promise<ShellSession>;
  /** It is taken: it is nobody else's to end any more. */
  keep(): void;
}

export function createShellSessions(clock: Clock): ShellSessions {
  const spares = new WeakMap<SshConnection, Spare>();

  const open = async (connection: SshConnection, signal: AbortSignal | undefined): Promise<ShellSession> => {
    const session: Session<ClientChannel> = await openExec(connection, bootstrap, undefined, signal);
    return shellOf(session);
  };

  const openAhead = (connection: SshConnection): Spare => {
    const giveUp = new AbortController();
    const opening = open(connection, giveUp.signal);
    const end = () => {
      keep();
      if (spares.get(connection) === spare) spares.delete(connection);
      giveUp.abort();
      opening.then(({ channel }) => abandon(channel), () => {}); // Without one, the next command opens its own.
    };
    const pressure = connection.sessions.onPressure(end);
    const timer = clock.after(spareMsMax, end);
    const keep = () => {
      pressure[Symbol.dispose]();
      timer[Symbol.dispose]();
      connection.lost.removeEventListener("abort", end);
    };
    connection.lost.addEventListener("abort", end, { once: true });
    const spare = { opening, keep };
    opening.then((shell) => void shell.end.closed.then(() => spares.get(connection) === spare && end()), end);
    return spare;
  };

  return {
    open,
    async take(connection, signal) {
      const spare = spares.get(connection);
      if (spare === undefined) return await open(connection, signal);
      spares.delete(connection);
      spare.keep();
      try {
        const shell = await untilAborted(spare.opening, signal);
        if (!shell.end.isClosed) return { ...shell, isSpare: true };
      } catch (error) {
        if (signal?.aborted) {
          spare.opening.then(({ channel }) => abandon(channel), () => {}); // Nobody waits for it any more.
          throw error;
        }
      }
      return await open(connection, signal);
    },
    prepare(connection) {
      const { sessions, lost } = connection;
      if (lost.aborted || spares.has(connection) || sessions.open + sessions.waiting + 1 >= sessions.limit) return;
      spares.set(connection, openAhead(connection));
    },
  };
}

/** Makes the shell of a session that was just opened ready for its line. */
export function shellOf(session: Session<ClientChannel>): ShellSession {
  const channel = session.value;
  const end = endOf(channel);
  void end.closed.then(() => session[Symbol.dispose]());
  channel.write(`${preamble}\n`);
  return { channel, end, isSpare: false };
}

/** Its shell reads the end of its stdin, and ends. */
function abandon(channel: ClientChannel): void {
  channel.resume();
  channel.stderr.resume();
  channel.end();
}

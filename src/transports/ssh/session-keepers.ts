import { messageOf } from "../../base/errors.ts";
import { openSessionKeeper, type SessionKeeper } from "./session-keeper.ts";
import type { StartMark } from "./remote-script.ts";
import { connectSsh, type SshConnection } from "./ssh-connection.ts";
import { SshError } from "./ssh-error.ts";
import { nameOfMachine, type SshOptions } from "./ssh-options.ts";
import { untilAborted } from "../../base/until-aborted.ts";
import { TransportError } from "../transport.ts";

/** Directories of lost connections that the next keeper is told of; sshd's own end tells the older ones. */
const leftoversMax = 16;

/** The keeper of each connection, made with its first command. */
export interface SessionKeepers {
  /** Undefined when the machine allows one session only. @throws TransportError (mayHaveRun false), the signal's reason */
  of(connection: SshConnection, signal: AbortSignal | undefined): Promise<SessionKeeper | undefined>;
  /**
   * Signals every process of a session. Without a keeper, over a connection of its own: sshd counts sessions by connection, and ssh2
   * sends no signal once stdin has ended. Never rejects: who ends a command that cannot be reached has nothing better to do.
   */
  kill(connection: SshConnection, session: StartMark, signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Its directory is gone: the next command makes another. */
  drop(connection: SshConnection): void;
  close(): Promise<void>;
}

export function createSessionKeepers(options: SshOptions): SessionKeepers {
  const { clock, random } = options;
  let made: { readonly connection: SshConnection; readonly keeper: Promise<SessionKeeper | undefined>; readonly adopted: readonly string[] } | undefined;
  const closing = new AbortController();
  let leftovers: readonly string[] = [];

  const open = async (connection: SshConnection, adopted: readonly string[]) => {
    const ended = leftovers;
    let keeper: SessionKeeper | undefined;
    try {
      keeper = await openSessionKeeper({ clock, random, connection, leftovers: ended, adopted });
    } catch (error) {
      made = undefined;
      if (error instanceof SshError) throw error;
      throw new TransportError(`cannot open a shell on ${nameOfMachine(options)}: ${messageOf(error)}`, false, { cause: error });
    }
    if (keeper === undefined) return undefined;
    const { dir } = keeper;
    leftovers = leftovers.filter((each) => !ended.includes(each));
    // The machine may not know yet that the connection is lost, and let the commands run: the next one tells it.
    if (dir !== undefined) connection.lost.addEventListener("abort", () => (leftovers = [...leftovers, dir].slice(-leftoversMax)), { once: true });
    // Where there is one session only, a command needs it more.
    connection.sessions.onPressure(() => {
      if (connection.sessions.limit > 1 || made?.connection !== connection) return;
      made = { connection, keeper: Promise.resolve(undefined), adopted };
      void keeper.close();
    });
    return keeper;
  };

  const of: SessionKeepers["of"] = async (connection, signal) => {
    signal?.throwIfAborted();
    if (made?.connection !== connection) made = { connection, keeper: open(connection, []), adopted: [] };
    const { keeper, adopted } = made;
    const found = await untilAborted(keeper, signal);
    // Somebody ended it.
    if (found?.isOpen !== false || connection.lost.aborted) return found;
    if (made?.keeper === keeper) {
      const orphaned = found.dir === undefined ? adopted : [...adopted, found.dir].slice(-leftoversMax);
      made = { connection, keeper: open(connection, orphaned), adopted: orphaned };
    }
    return await untilAborted(made.keeper, signal);
  };

  return {
    of,
    async kill(connection, session, signal) {
      try {
        // Any keeper can: the one that the command entered itself with may be gone.
        const keeper = await of(connection, undefined);
        if (keeper !== undefined) return await keeper.kill(session, signal);
        const apart = await connectSsh(options, closing.signal, () => {});
        try {
          const other = await openSessionKeeper({ clock, random, connection: apart, leftovers: [], adopted: [] });
          await other?.kill(session, signal);
          await other?.close();
        } finally {
          apart.close();
        }
      } catch {
        // The command's own connection will tell what becomes of it.
      }
    },
    drop(connection) {
      if (made?.connection !== connection) return;
      const { keeper } = made;
      made = undefined;
      void keeper.then((each) => each?.close(), () => {});
    },
    async close() {
      closing.abort(new SshError("Closed", `the way to ${nameOfMachine(options)} is closed`, false));
      const keeper = await made?.keeper.catch(() => undefined);
      await keeper?.close();
    },
  };
}

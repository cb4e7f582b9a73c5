import type { SFTPWrapper } from "ssh2";
import type { Clock } from "../../base/clock.ts";
import { asRefusal, asTransportError } from "./open-exec.ts";
import { SessionRefused, type Session } from "./session-budget.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { SshError } from "./ssh-error.ts";

/** An SFTP session with nothing to do is kept at hand so long, unless somebody else needs a session. */
const idleMsMax = 30_000;

interface Opened {
  readonly sftp: SFTPWrapper;
  /** Ends it, unless it is in use. */
  give(): void;
  users: number;
  idle: Disposable | undefined;
}

/** One SFTP session a connection, opened when it is needed. */
export interface SftpSessions {
  /** @returns undefined when this sshd has no SFTP @throws TransportError */
  use<T>(connection: SshConnection, act: (sftp: SFTPWrapper) => Promise<T>): Promise<{ readonly value: T } | undefined>;
}

export function createSftpSessions(clock: Clock): SftpSessions {
  const opened = new WeakMap<SshConnection, Promise<Opened | undefined>>();

  const open = async (connection: SshConnection): Promise<Opened | undefined> => {
    let session: Session<SFTPWrapper>;
    try {
      session = await connection.sessions.take(() => connection.unlessLost(asTransportError(openSftp(connection), "cannot open an SFTP session"), false));
    } catch (error) {
      if (error instanceof SshError || error instanceof SessionRefused || !(error instanceof Error) || !(error.cause instanceof NoSftp)) {
        opened.delete(connection);
        throw error;
      }
      return undefined;
    }
    const entry: Opened = {
      sftp: session.value,
      give() {
        if (entry.users > 0) return;
        opened.delete(connection);
        session.value.end();
      },
      users: 0,
      idle: undefined,
    };
    const pressure = connection.sessions.onPressure(entry.give);
    const gone = () => {
      pressure[Symbol.dispose]();
      entry.idle?.[Symbol.dispose]();
      opened.delete(connection);
      session[Symbol.dispose]();
    };
    session.value.once("close", gone);
    connection.lost.addEventListener("abort", gone, { once: true });
    return entry;
  };

  return {
    async use(connection, act) {
      let opening = opened.get(connection);
      if (opening === undefined) {
        opening = open(connection);
        opened.set(connection, opening);
      }
      const entry = await opening;
      if (entry === undefined) return undefined;
      entry.users++;
      entry.idle?.[Symbol.dispose]();
      try {
        return { value: await connection.unlessLost(act(entry.sftp), true) };
      } finally {
        if (--entry.users === 0) {
          if (connection.sessions.waiting > 0) entry.give();
          else if (!connection.lost.aborted) entry.idle = clock.after(idleMsMax, entry.give);
        }
      }
    },
  };
}

/** The subsystem is off. */
class NoSftp extends Error {}

function openSftp({ client }: SshConnection): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.sftp((error, sftp) => {
      if (error === undefined) return resolve(sftp);
      const refusal = asRefusal(error);
      reject(refusal instanceof SessionRefused ? refusal : new NoSftp(error.message, { cause: error }));
    });
  });
}

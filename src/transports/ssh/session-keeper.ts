import type { ClientChannel } from "ssh2";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { openExec } from "./open-exec.ts";
import { bootstrap, keeperScript, noiseBytesMax, type StartMark } from "./remote-script.ts";
import type { SshConnection } from "./ssh-connection.ts";

/** Ends sessions of one connection, over a session of its own. See `keeperScript`. */
export interface SessionKeeper {
  /** Where commands enter themselves; undefined when no directory could be made there: then a lost connection leaves them. */
  readonly dir: string | undefined;
  /** False when somebody ended it, or the connection is gone. */
  readonly isOpen: boolean;
  /** Signals every process of the session. Resolves when it is done, or when the connection is gone. */
  kill(session: StartMark, signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** It has begun, perhaps with the number of one that is about to be forgotten. */
  remember(session: StartMark): void;
  /** It has ended: there is nothing to end any more. */
  forget(session: StartMark): void;
  /** Ends all that is left. Resolves when the keeper itself has ended, or is given up. */
  close(): Promise<void>;
}

/** For the keeper to come up. */
const startMsMax = 20_000;
/** For the keeper to end. */
const endMsMax = 3000;
/** Sessions are forgotten so many at a time: it costs the machine a process. */
const forgottenMax = 32;

interface KeeperOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly connection: SshConnection;
  readonly leftovers: readonly string[];
  readonly adopted: readonly string[];
}

/** Undefined when the machine allows one session only: the commands need that. @throws TransportError */
export async function openSessionKeeper({ clock, random, connection, leftovers, adopted }: KeeperOptions): Promise<SessionKeeper | undefined> {
  const nonce = random.uuid();
  const session = await openExec(connection, bootstrap, undefined, undefined);
  const channel = session.value;
  const acks = new Map<string, Set<() => void>>();
  const gone = new Promise<void>((resolve) => channel.once("close", () => resolve()));
  void gone.then(() => {
    session[Symbol.dispose]();
    for (const waiting of acks.values()) for (const done of waiting) done();
    acks.clear();
  });
  channel.stderr.resume();
  channel.write(`${keeperScript({ nonce, name: `.vendetta-${nonce}`, leftovers, adopted })}\n`);
  const said = reader(channel, (text) => {
    const waiting = acks.get(text);
    const [done] = waiting ?? [];
    if (done === undefined) return;
    waiting!.delete(done);
    done();
  });
  const dir = await said.first(nonce, clock, gone);
  if (dir === undefined) {
    channel.close();
    return undefined;
  }

  let open = true;
  void gone.then(() => (open = false));
  let forgotten: number[] = [];
  return {
    dir: dir === "" ? undefined : dir,
    get isOpen() {
      return open && channel.writable;
    },
    kill: ({ pid, startTime }, signal) =>
      new Promise((resolve) => {
        if (!open || !channel.writable) return resolve();
        const key = `k ${pid}`;
        acks.set(key, (acks.get(key) ?? new Set()).add(resolve));
        channel.write(`k ${pid} ${startTime} ${signal.slice(3)}\n`);
      }),
    remember({ pid }) {
      forgotten = forgotten.filter((each) => each !== pid);
    },
    forget({ pid }) {
      if (!open || !channel.writable) return;
      if (forgotten.push(pid) < forgottenMax) return;
      channel.write(`f ${forgotten.join(" ")}\n`);
      forgotten = [];
    },
    async close() {
      if (open) channel.end();
      await within(clock, endMsMax, gone);
      channel.close();
    },
  };
}

/** Resolves when the promise does, or after so long. */
function within(clock: Clock, ms: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, resolve);
    void promise.then(() => {
      timer[Symbol.dispose]();
      resolve();
    });
  });
}

/** Cuts what the keeper says at its semicolons. */
function reader(channel: ClientChannel, onText: (text: string) => void) {
  let buffered = "";
  let first: { readonly nonce: string; readonly found: (dir: string) => void } | undefined;
  channel.setEncoding("utf8");
  channel.on("data", (text: string) => {
    buffered = (buffered + text).slice(-noiseBytesMax);
    for (let end = buffered.indexOf(";"); end >= 0; end = buffered.indexOf(";")) {
      const said = buffered.slice(0, end);
      buffered = buffered.slice(end + 1);
      const at = first === undefined ? -1 : said.indexOf(`${first.nonce}+`);
      if (first === undefined) onText(said);
      else if (at >= 0) {
        first.found(said.slice(at + first.nonce.length + 1));
        first = undefined;
      }
    }
  });
  return {
    /** What follows the nonce; undefined when it never comes. */
    first: async (nonce: string, clock: Clock, gone: Promise<void>) => {
      let dir: string | undefined;
      const found = new Promise<void>((resolve) => {
        first = {
          nonce,
          found(text) {
            dir = text;
            resolve();
          },
        };
      });
      await within(clock, startMsMax, Promise.race([found, gone]));
      return dir;
    },
  };
}

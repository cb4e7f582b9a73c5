import { setMaxListeners } from "node:events";
import type { Client, ClientChannel } from "ssh2";
import { messageOf } from "../../base/errors.ts";
import { createSessionBudget, type SessionBudget } from "./session-budget.ts";
import { createSessionLimit } from "./session-limit.ts";
import { SshError } from "./ssh-error.ts";
import { shakeHands } from "./ssh-handshake.ts";
import { keepaliveIntervalMs, keepaliveUnansweredMax, nameOfMachine, type SshOptions } from "./ssh-options.ts";

/** For the last bytes of a connection that we end to get away. */
const farewellMsMax = 1000;

/** What becomes of a connection that was made to a port which sshd listens on for us: it is opened, or refused. */
export type TakeConnection = (accept: () => ClientChannel, refuse: () => void) => void;

/** A connection that is up, or was. It never comes back: `SshLink` makes another. */
export interface SshConnection {
  /** ssh2's own. Only while `lost` has not aborted. */
  readonly client: Client;
  readonly sessions: SessionBudget;
  /** Who takes what connects to a port of the machine's 127.0.0.1; at any other it is refused. */
  readonly takers: Map<number, TakeConnection>;
  /** Aborts when the connection is gone; its reason is an SshError that says why. */
  readonly lost: AbortSignal;
  /** How long the last question whether the machine still answers took. */
  readonly latencyMs: number | undefined;
  /**
   * Waits for an answer, but no longer than for the connection. `mayHaveRun`: what to say of the command when it breaks.
   * @throws SshError
   */
  unlessLost<T>(answer: Promise<T>, mayHaveRun: boolean): Promise<T>;
  /** Ends it in good order. */
  close(): void;
}

/**
 * @param onLatency told after each answered keepalive
 * @throws SshError (mayHaveRun false), the signal's reason
 */
export async function connectSsh(options: SshOptions, signal: AbortSignal, onLatency: (ms: number) => void): Promise<SshConnection> {
  const { clock } = options;
  const where = nameOfMachine(options);
  const { client, socket } = await shakeHands(options, signal);
  const sessions = createSessionBudget({ clock, where, limit: options.sessionLimit ?? createSessionLimit({ clock }) });
  const lost = new AbortController();
  // One listener for each stream that it carries.
  setMaxListeners(0, lost.signal);
  let latencyMs: number | undefined;

  const lose = (error: SshError) => {
    if (lost.signal.aborted) return;
    lost.abort(error);
    sessions.close(error);
    // After the farewell, if there was one, has gone; and whether or not the machine still takes it.
    if (!socket.writableEnded) return void socket.destroy();
    const timer = clock.after(farewellMsMax, () => socket.destroy());
    socket.once("close", () => timer[Symbol.dispose]());
  };
  const unreachable = (why: string, cause?: unknown) => new SshError("Unreachable", `lost the connection to ${where}: ${why}`, false, { cause });
  client.on("error", (error) => lose(unreachable(messageOf(error), error)));
  client.on("end", () => lose(unreachable("the machine ended it")));
  client.on("close", () => lose(unreachable("it was closed")));

  const takers = new Map<number, TakeConnection>();
  client.on("tcp connection", ({ destPort }, accept, reject) => {
    const take = takers.get(destPort);
    // Ports are bound to see whether they are free as well, not to be connected to.
    if (take === undefined) reject();
    else take(accept, reject);
  });

  keepAlive({
    options,
    client,
    lost: lost.signal,
    onAnswer(ms) {
      latencyMs = ms;
      onLatency(ms);
    },
    onSilence: (why) => lose(unreachable(why)),
  });

  return {
    client,
    sessions,
    takers,
    lost: lost.signal,
    get latencyMs() {
      return latencyMs;
    },
    unlessLost: (answer, mayHaveRun) =>
      new Promise((resolve, reject) => {
        const onLost = () => {
          const reason = lost.signal.reason as SshError;
          reject(reason.mayHaveRun === mayHaveRun ? reason : new SshError(reason.failure, reason.message, mayHaveRun, { cause: reason }));
        };
        if (lost.signal.aborted) onLost();
        lost.signal.addEventListener("abort", onLost, { once: true });
        answer.then(resolve, reject).finally(() => lost.signal.removeEventListener("abort", onLost));
      }),
    close() {
      const ended = new SshError("Closed", `the way to ${where} is closed`, false);
      // First the farewell, then the end: the machine need not wait to notice.
      client.end();
      lose(ended);
    },
  };
}

interface KeepAlive {
  readonly options: SshOptions;
  readonly client: Client;
  readonly lost: AbortSignal;
  readonly onAnswer: (ms: number) => void;
  readonly onSilence: (why: string) => void;
}

/**
 * Asks for something that the machine answers whatever it is: a forward to be taken back that there never was (RFC 4254, 7.1).
 * The answer is to be waited for with the connection's end. @throws what ssh2 throws when that has come
 */
export function askAlive(client: Client): Promise<void> {
  return new Promise((resolve) => void client.unforwardIn("127.0.0.1", 0, () => resolve()));
}

/** Asks whether the machine answers, over and over. One answer makes up for all that were missed. */
function keepAlive({ options, client, lost, onAnswer, onSilence }: KeepAlive): void {
  const { clock, keepaliveIntervalMs: intervalMs = keepaliveIntervalMs, keepaliveUnansweredMax: unansweredMax = keepaliveUnansweredMax } = options;
  let unanswered = 0;
  let timer: Disposable | undefined;
  lost.addEventListener("abort", () => timer?.[Symbol.dispose](), { once: true });
  const ask = () => {
    if (lost.aborted) return;
    if (unanswered >= unansweredMax) return onSilence(`no answer for ${Math.round((unansweredMax * intervalMs) / 1000)} s`);
    unanswered++;
    const askedMs = clock.monotonic();
    const onAlive = () => {
      if (lost.aborted) return;
      unanswered = 0;
      onAnswer(clock.monotonic() - askedMs);
    };
    askAlive(client).then(onAlive, (error: unknown) => onSilence(messageOf(error)));
    timer = clock.after(intervalMs, ask);
  };
  ask();
}

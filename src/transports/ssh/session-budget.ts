import type { Clock } from "../../base/clock.ts";
import { SshError } from "./ssh-error.ts";
import { TransportError } from "../transport.ts";
import type { SessionLimit } from "./session-limit.ts";

/** Operations that may wait for a session; more are refused. */
const waitingMax = 1000;
/** A refusal is tried again after this long, twice as long each time. */
const retryMs = 10;
const retryMsMax = 1000;
/** So often in a row, with no session of ours open, until we believe that the machine wants no session at all. */
const refusalsAloneMax = 5;
/** And so often in a row for one operation, whoever else has one. */
const refusalsMax = 100;
/** A session that was dropped is opened again so often, and sooner than a refused one: the next may well stay. */
const dropsMax = 30;
const dropRetryMsMax = 100;

/** One session of the connection, ours until it is given back. */
export type Session<T> = { readonly value: T } & Disposable;

export interface SessionBudget {
  /**
   * Waits for a turn, first come, first served, and opens a session by `open`. A machine that refuses because there are
   * too many is asked again when one has ended; its limit is learned on the way.
   * @throws TransportError (mayHaveRun false), the signal's reason
   */
  take<T>(open: () => Promise<T>, signal?: AbortSignal): Promise<Session<T>>;
  /** Tells that somebody waits: who holds a session only to have it at hand gives it back. */
  onPressure(give: () => void): Disposable;
  readonly open: number;
  readonly waiting: number;
  /** What we now think the machine allows. */
  readonly limit: number;
  /** Refuses all that wait, and more. */
  close(reason: SshError): void;
}

/** Thrown by an `open` when the machine would not open one session more. */
export class SessionRefused extends Error {}

/** Thrown by an `open` when the machine did not keep the session until it was told what to run: that says nothing of how many it allows. */
export class SessionDropped extends Error {}

interface Waiting {
  /** Its place: lower ones go first. */
  readonly ticket: number;
  readonly go: () => void;
  readonly fail: (error: Error) => void;
}

export function createSessionBudget({ clock, limit, where }: { readonly clock: Clock; readonly limit: SessionLimit; readonly where: string }): SessionBudget {
  const queue: Waiting[] = [];
  const givers = new Set<() => void>();
  let tickets = 0;
  let taken = 0;
  let open = 0;
  let closed: SshError | undefined;

  const serve = () => {
    while (queue.length > 0 && taken < limit.now) {
      taken++;
      queue.shift()!.go();
    }
    if (queue.length > 0) for (const give of [...givers]) give();
  };
  const giveBack = () => {
    taken--;
    serve();
  };

  /** Resolves when a session may be opened. One that had its turn and was refused keeps its place. */
  const turn = (ticket: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (closed !== undefined) return reject(closed);
      if (signal?.aborted) return reject(signal.reason as Error);
      if (queue.length >= waitingMax) return reject(new TransportError(`${where}: ${waitingMax} operations wait for a session already; try again later`, false));
      const giveUp = () => {
        queue.splice(queue.indexOf(waiting), 1);
        reject(signal!.reason as Error);
      };
      const waiting: Waiting = {
        ticket,
        go: () => {
          signal?.removeEventListener("abort", giveUp);
          resolve();
        },
        fail: (error) => {
          signal?.removeEventListener("abort", giveUp);
          reject(error);
        },
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      const after = queue.findIndex((each) => each.ticket > ticket);
      queue.splice(after < 0 ? queue.length : after, 0, waiting);
      serve();
    });

  const take = async <T>(openOne: () => Promise<T>, signal?: AbortSignal): Promise<Session<T>> => {
    const ticket = tickets++;
    let alone = 0;
    let drops = 0;
    for (let tries = 0; ; tries++) {
      await turn(ticket, signal);
      try {
        const value = await openOne();
        limit.allowed(++open);
        // That may have shown that there is room for another.
        serve();
        let back = false;
        return {
          value,
          [Symbol.dispose]() {
            if (back) return;
            back = true;
            open--;
            giveBack();
          },
        };
      } catch (error) {
        if (error instanceof SessionDropped) {
          if (++drops >= dropsMax) {
            giveBack();
            throw new TransportError(`${where} has not kept one of ${dropsMax} sessions: ${error.message}; does its sshd_config forbid commands, or terminals (PermitTTY)?`, false, { cause: error });
          }
          clock.after(Math.min(retryMs * 2 ** drops, dropRetryMsMax), giveBack);
          continue;
        }
        if (error instanceof SessionRefused) {
          limit.refused();
          alone = open === 0 ? alone + 1 : 0;
          if (alone >= refusalsAloneMax || tries >= refusalsMax) {
            giveBack();
            throw new TransportError(`${where} opens no session: ${error.message}; is MaxSessions 0, or are commands forbidden, in its sshd_config?`, false, { cause: error });
          }
          clock.after(Math.min(retryMs * 2 ** tries, retryMsMax), giveBack);
          continue;
        }
        giveBack();
        throw error;
      }
    }
  };

  return {
    take,
    onPressure(give) {
      givers.add(give);
      return { [Symbol.dispose]: () => void givers.delete(give) };
    },
    get open() {
      return open;
    },
    get waiting() {
      return queue.length;
    },
    get limit() {
      return limit.now;
    },
    close(reason) {
      closed = reason;
      for (const waiting of queue.splice(0)) waiting.fail(reason);
    },
  };
}

import { setMaxListeners } from "node:events";
import { TimeoutError, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { phases, type Runnable } from "./runnable.ts";

/** Starts and stops everything in order. */
export interface Manager {
  add(...runnables: readonly Runnable[]): void;
  /** Runs until the signal aborts (then resolves, all having ended) or a runnable fails (then rejects with its error, all others having ended). Calls `ready` once everything is. */
  run(signal: AbortSignal, ready?: () => void): Promise<void>;
}

export interface ManagerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** A phase that is not ready by then is a failure. */
  readonly readyTimeoutMs?: number;
  /** A runnable that does not end by then is left behind, with a line in the log. */
  readonly stopTimeoutMs?: number;
}

interface Running {
  readonly runnable: Runnable;
  readonly abort: AbortController;
  readonly ready: Promise<void>;
  /** Settles when the runnable has ended; never rejects. */
  readonly ended: Promise<void>;
}

export function createManager({ clock, log, readyTimeoutMs = 30_000, stopTimeoutMs = 20_000 }: ManagerOptions): Manager {
  const runnables: Runnable[] = [];

  const within = (promise: Promise<void>, timeoutMs: number, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => reject(new TimeoutError(what, timeoutMs)));
      promise.then(resolve, reject).finally(() => timer[Symbol.dispose]());
    });

  return {
    add: (...more) => void runnables.push(...more),
    async run(signal, ready) {
      const running: Running[] = [];
      let failure: { readonly error: unknown } | undefined;
      const stopping = new AbortController();
      const fail = (error: unknown) => {
        failure ??= { error };
        stopping.abort();
      };
      const onAbort = () => stopping.abort();
      if (signal.aborted) return;
      signal.addEventListener("abort", onAbort, { once: true });

      const start = (runnable: Runnable): Running => {
        const abort = new AbortController();
        // Every wait of a runnable listens to it: many listeners are no leak here.
        setMaxListeners(0, abort.signal);
        let isReady!: () => void;
        const readiness = new Promise<void>((resolve) => (isReady = resolve));
        const ended = runnable.run(abort.signal, isReady).then(
          () => {
            if (!stopping.signal.aborted) fail(new Error(`${runnable.name} ended without being asked to`));
          },
          (error: unknown) => {
            if (!stopping.signal.aborted) log.error("failed", { runnable: runnable.name, error: messageOf(error) });
            fail(error);
          },
        );
        // One that failed will never be ready: whoever waits for it is told by the stop.
        return { runnable, abort, ready: Promise.race([readiness, ended]), ended };
      };

      try {
        for (const phase of phases) {
          if (stopping.signal.aborted) break;
          const batch = runnables.filter((each) => each.phase === phase).map(start);
          running.push(...batch);
          await within(Promise.all(batch.map((each) => each.ready)).then(() => {}), readyTimeoutMs, `starting ${batch.map((each) => each.runnable.name).join(", ")}`);
        }
        if (!stopping.signal.aborted) {
          ready?.();
          await new Promise<void>((resolve) => {
            stopping.signal.addEventListener("abort", () => resolve(), { once: true });
            // Whoever was told may have stopped us in that very moment.
            if (stopping.signal.aborted) resolve();
          });
        }
      } catch (error) {
        fail(error);
      }
      signal.removeEventListener("abort", onAbort);
      for (const phase of phases.toReversed()) {
        const batch = running.filter((each) => each.runnable.phase === phase);
        for (const each of batch) each.abort.abort();
        for (const each of batch) await within(each.ended, stopTimeoutMs, `stopping ${each.runnable.name}`).catch((error: unknown) => log.error("left behind", { error: messageOf(error) }));
      }
      if (failure !== undefined) throw failure.error;
    },
  };
}

import type { Clock } from "../base/clock.ts";

/** How long a stream may live. `signal` aborts at the first of: a source aborting, the time running out, `end`. */
export interface Lifetime {
  readonly signal: AbortSignal;
  /** Ends it and lets go of the timer and the sources. Idempotent. */
  end(): void;
}

/** AbortSignal.any keeps its results alive as long as a long-lived source (the server's own) on Node 20: hence this. */
export function createLifetime(clock: Clock, timeoutMs: number, ...sources: readonly (AbortSignal | undefined)[]): Lifetime {
  const controller = new AbortController();
  const end = () => {
    timer[Symbol.dispose]();
    for (const source of sources) source?.removeEventListener("abort", end);
    controller.abort();
  };
  const timer = clock.after(timeoutMs, end);
  for (const source of sources) {
    if (source?.aborted) end();
    else source?.addEventListener("abort", end, { once: true });
  }
  return { signal: controller.signal, end };
}

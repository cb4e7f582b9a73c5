import { sleep, type Clock } from "./clock.ts";

export interface FollowLatestOptions {
  /** After a failure it is tried again this much later, … */
  readonly retryMs: number;
  /** … so many times in all; then it is given up until the next value. */
  readonly triesMax: number;
}

/** Hands each new value to `apply`, one call at a time; while one is at work only the newest waits. */
export function followLatest<T extends object>(clock: Clock, apply: (value: T) => Promise<void>, { retryMs, triesMax }: FollowLatestOptions): (value: T) => void {
  let wanted: T | undefined;
  let busy = false;
  const work = async () => {
    busy = true;
    for (let tries = 0; wanted !== undefined && tries < triesMax; tries++) {
      const value = wanted;
      try {
        await apply(value);
        if (wanted === value) wanted = undefined;
      } catch {
        await sleep(clock, retryMs);
      }
    }
    busy = false;
  };
  return (value) => {
    wanted = value;
    if (!busy) void work();
  };
}

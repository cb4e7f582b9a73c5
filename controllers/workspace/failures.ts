import type { Clock } from "../../src/base/clock.ts";

const retryMsMin = 1000;
const retryMsMax = 60_000;

/**
 * Back-off of steps that failed. Kept in memory only: after a restart of the server the first try comes at once, which
 * is what a person who restarted it hopes for. A new generation, which a deletion is too, also gets its try at once.
 */
export interface Failures {
  /** Counts one more; answers the milliseconds to wait: 1, 2, 4 … 60 seconds. */
  add(uid: string, generation: number): number;
  /** Milliseconds left before the next try; 0 when it is due. */
  waitMs(uid: string, generation: number): number;
  count(uid: string): number;
  clear(uid: string): void;
}

export function createFailures(clock: Clock): Failures {
  const all = new Map<string, { readonly generation: number; readonly count: number; readonly dueMs: number }>();
  return {
    add(uid, generation) {
      const old = all.get(uid);
      const count = (old?.generation === generation ? old.count : 0) + 1;
      const delayMs = Math.min(retryMsMax, retryMsMin * 2 ** (count - 1));
      all.set(uid, { generation, count, dueMs: clock.monotonic() + delayMs });
      return delayMs;
    },
    waitMs(uid, generation) {
      const failure = all.get(uid);
      if (failure === undefined || failure.generation !== generation) return 0;
      return Math.max(0, failure.dueMs - clock.monotonic());
    },
    count: (uid) => all.get(uid)?.count ?? 0,
    clear: (uid) => void all.delete(uid),
  };
}

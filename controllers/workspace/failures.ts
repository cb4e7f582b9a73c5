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
  /** The step cannot succeed unless the object is changed: it is not tried again for this generation. */
  addForGood(uid: string, generation: number): void;
  isForGood(uid: string, generation: number): boolean;
  /** Milliseconds left before the next try; 0 when it is due. */
  waitMs(uid: string, generation: number): number;
  count(uid: string): number;
  clear(uid: string): void;
}

export function createFailures(clock: Clock): Failures {
  const all = new Map<string, { readonly generation: number; readonly count: number; readonly dueMs: number; readonly forGood?: true }>();
  return {
    add(uid, generation) {
      const old = all.get(uid);
      const count = (old?.generation === generation ? old.count : 0) + 1;
      const delayMs = Math.min(retryMsMax, retryMsMin * 2 ** (count - 1));
      all.set(uid, { generation, count, dueMs: clock.monotonic() + delayMs });
      return delayMs;
    },
    addForGood: (uid, generation) => void all.set(uid, { generation, count: 1, dueMs: clock.monotonic(), forGood: true }),
    isForGood(uid, generation) {
      const failure = all.get(uid);
      return failure?.generation === generation && failure.forGood === true;
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

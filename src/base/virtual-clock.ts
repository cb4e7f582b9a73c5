import type { Clock } from "./clock.ts";

/** A clock that stands still until told to move. Timers fire in the order of their due time, then of their making. */
export interface VirtualClock extends Clock {
  /** Moves time forward by `ms`, firing what falls due on the way and letting promises settle after each timer. */
  advance(ms: number): Promise<void>;
  /** Timers that have not fired. */
  readonly pending: number;
  /** Milliseconds until the next timer is due, or undefined when none is armed. */
  readonly nextDueMs: number | undefined;
}

export function createVirtualClock(startMs = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = startMs;
  let made = 0;
  // A sorted array is enough: simulations hold thousands of timers, inserted near the end.
  const timers: { due: number; order: number; fire: () => void }[] = [];
  /** Promise chains of real depth settle within a few macrotasks; immediates do not depend on any clock. */
  const settle = async () => {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    now: () => now,
    monotonic: () => now - startMs,
    after(ms, fire) {
      const timer = { due: now + Math.max(0, ms), order: made++, fire };
      let low = 0;
      let high = timers.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (timers[middle]!.due <= timer.due) low = middle + 1;
        else high = middle;
      }
      timers.splice(low, 0, timer);
      return {
        [Symbol.dispose]() {
          const at = timers.indexOf(timer);
          if (at >= 0) timers.splice(at, 1);
        },
      };
    },
    async advance(ms) {
      const end = now + ms;
      await settle();
      while (timers.length > 0 && timers[0]!.due <= end) {
        const timer = timers.shift()!;
        now = Math.max(now, timer.due);
        timer.fire();
        await settle();
      }
      now = end;
      await settle();
    },
    get pending() {
      return timers.length;
    },
    get nextDueMs() {
      return timers[0] === undefined ? undefined : timers[0].due - now;
    },
  };
}

import { randomUUID } from "node:crypto";
import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

// The one file that touches Date.now, timers and Math.random: the tidy test holds every other file to the injected ones.

/** setTimeout takes a 32-bit number of milliseconds; longer waits fire at once, so they are cut into pieces. */
const timerMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fire) {
    let timer: NodeJS.Timeout;
    const arm = (left: number) => {
      timer = left > timerMsMax ? setTimeout(() => arm(left - timerMsMax), timerMsMax) : setTimeout(fire, Math.max(0, left));
    };
    arm(ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

export const systemRandom: Random = { next: () => Math.random(), uuid: () => randomUUID() };

import PQueue from "p-queue";
import { sleep, type Clock } from "../base/clock.ts";
import type { Usage } from "../server/usage.ts";

/** What was counted at one moment. */
export interface Reading {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** An answer is good for this long. */
const freshMs = 5_000;
/** Two readings are this far apart at least, and at most. */
const windowMsMin = 1_000;
const windowMsMax = 300_000;
/** Readings taken at once. */
const readingsMax = 16;
const keysMax = 10_000;

interface Taken extends Reading {
  readonly monotonicMs: number;
}

/**
 * Makes rates of counters, only when somebody asks: the last reading is kept, so that who asks again need not wait. Whoever
 * asks first waits a second for the second reading.
 */
export function createUsageMeter(clock: Clock) {
  const queue = new PQueue({ concurrency: readingsMax });
  const last = new Map<string, Taken>();
  const answers = new Map<string, { readonly atMs: number; readonly usage: Promise<Usage | undefined> }>();

  const take = async (read: () => Promise<Reading | undefined>): Promise<Taken | undefined> => {
    const reading = await queue.add(read);
    return reading === undefined ? undefined : { ...reading, monotonicMs: clock.monotonic() };
  };

  const measure = async (key: string, read: () => Promise<Reading | undefined>): Promise<Usage | undefined> => {
    let from = last.get(key);
    let to = await take(read);
    if (to === undefined) return void last.delete(key);
    const age = from === undefined ? Infinity : to.monotonicMs - from.monotonicMs;
    // Counters that went back were started anew.
    if (from === undefined || age < windowMsMin || age > windowMsMax || to.cpuSeconds < from.cpuSeconds) {
      from = to;
      await sleep(clock, windowMsMin);
      to = await take(read);
      if (to === undefined) return void last.delete(key);
    }
    last.set(key, to);
    const windowMs = to.monotonicMs - from.monotonicMs;
    return { cores: Math.max(0, to.cpuSeconds - from.cpuSeconds) / (windowMs / 1000), memoryBytes: to.memoryBytes, atMs: clock.now(), windowMs };
  };

  return {
    /** The rate of what `read` counts; undefined when there is nothing to count. @throws what `read` throws */
    of(key: string, read: () => Promise<Reading | undefined>): Promise<Usage | undefined> {
      const known = answers.get(key);
      const now = clock.monotonic();
      if (known !== undefined && now - known.atMs < freshMs) return known.usage;
      // What nobody has asked for in a while is forgotten; all at once, as it is only a cache.
      if (answers.size >= keysMax) {
        answers.clear();
        last.clear();
      }
      const usage = measure(key, read);
      answers.set(key, { atMs: now, usage });
      usage.catch(() => answers.delete(key));
      return usage;
    },
  };
}

import type { RunWish } from "./test-file.ts";

/** Something to run once, in its lane. */
export interface Job {
  readonly name: string;
  readonly wish: RunWish;
  /** Settles when nothing of it runs any more. */
  readonly run: () => Promise<void>;
}

/**
 * Runs all jobs, at most `lanesCount` at once: those that take longest first, in their order where they take the same.
 * Those beside all others begin at once and count for nothing; those alone run last, one after the other, when all else
 * has ended. A job that fails rejects what is returned, and what runs then is not ended.
 */
export async function runInLanes(jobs: readonly Job[], lanesCount: number): Promise<void> {
  const of = (lane: RunWish["lane"]) => jobs.filter(({ wish }) => wish.lane === lane);
  const waiting = of("shared").sort((a, b) => b.wish.seconds - a.wish.seconds);
  const lane = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await job.run();
  };
  await Promise.all([...of("beside").map((job) => job.run()), ...Array.from({ length: lanesCount }, lane)]);
  for (const job of of("alone")) await job.run();
}

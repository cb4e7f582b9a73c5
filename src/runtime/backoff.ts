import type { Random } from "../base/random.ts";

export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  readonly random: Random;
}

/** Milliseconds to wait after `failures` failures before this one: min, doubled each time, up to max; then a random half taken off, so that many do not come back at once. */
export function backoffMs(failures: number, { minMs, maxMs, random }: BackoffOptions): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(failures, 30));
  return full * (0.5 + random.next() / 2);
}

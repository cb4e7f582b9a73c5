export const restartDelayMsMax = 60_000;

/** The first failure is answered at once; then 1, 2, 4 … 60 seconds. */
export function restartDelayMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(restartDelayMsMax, 1000 * 2 ** (failures - 2));
}

const settleMsMin = 1000;
const settleMsMax = 10_000;

/** So long what has failed so often in a row must stay up until it counts: a second, or as long as was waited for this start, within bounds. */
export function neededMs(failures: number): number {
  return Math.min(settleMsMax, Math.max(settleMsMin, restartDelayMs(failures)));
}

/**
 * How much longer a process that no check asks must run before it counts as healthy: a second, or as long as was waited for
 * this start when the ones before it failed. One that was there long before we looked has settled.
 */
export function settleMs(startedAtMs: number, failures: number, nowMs: number): number {
  const needed = neededMs(failures);
  // The instance counts whole seconds: what is on record may be up to one earlier than what was.
  return nowMs - startedAtMs >= needed + 1000 ? 0 : needed;
}

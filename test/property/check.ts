import fc, { type IAsyncProperty, type IProperty } from "fast-check";

// SEED and RUNS in the environment repeat a failure, and run more.
const seed = Number(process.env["SEED"] ?? Math.trunc(performance.timeOrigin % 2 ** 31));
const numRuns = Number(process.env["RUNS"] ?? 0);

function parameters(runs: number) {
  return { seed, numRuns: numRuns || runs };
}

console.log(`seed ${seed} (SEED=${seed} repeats this run)`);

/** Checks a property; a failure prints seed, path and the smallest counterexample. */
export function check<T>(property: IProperty<T>, runs = 300): void {
  fc.assert(property, parameters(runs));
}

export function checkAsync<T>(property: IAsyncProperty<T>, runs = 100): Promise<void> {
  return fc.assert(property, parameters(runs));
}

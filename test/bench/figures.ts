/** The value below which this share of the samples lies. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** One line a figure: name, value, what it is measured against, target. */
export function figure(name: string, value: string, target = ""): void {
  console.log(`${name.padEnd(58)} ${value}${target === "" ? "" : `   [target ${target}]`}`);
}

export const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
export const ratio = (value: number) => `${value.toFixed(2)}x`;

/** Median, ninth decile and worst of samples in milliseconds. */
export const spread = (samples: readonly number[]) => `${ms(percentile(samples, 0.5))} (p90 ${ms(percentile(samples, 0.9))}, max ${ms(Math.max(...samples))})`;

/** How long it takes, in milliseconds. */
export async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Latency of each of `count` runs, one after the other. */
export async function latencies(count: number, run: (i: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i++) samples.push(await timed(() => run(i)));
  return samples;
}

/** Runs a second, of `clients` that each wait for their own. */
export async function throughput(clients: number, each: number, run: (client: number, i: number) => Promise<unknown>): Promise<number> {
  const took = await timed(() =>
    Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        for (let i = 0; i < each; i++) await run(client, i);
      }),
    ),
  );
  return (clients * each * 1000) / took;
}

import type { InstanceUsage } from "../provider.ts";

/**
 * Reads what `usageScript` printed; undefined when it does not run. Memory that the kernel would give back at once is not counted.
 * Source: the kernel's cgroup-v1/memory, cgroup-v1/cpuacct and cgroup-v2 documents.
 */
export function usageFromCgroup(text: string): InstanceUsage | undefined {
  const figures = new Map(text.split("\n").map((line) => line.split(" ")).map(([name = "", value]) => [name, Number(value)]));
  const usage = figures.get("usage");
  if (usage === undefined) return undefined;
  const cached = figures.get("total_inactive_file") ?? figures.get("inactive_file") ?? 0;
  const cpuSeconds = (figures.get("nanoseconds") ?? 0) / 1e9 + (figures.get("usage_usec") ?? 0) / 1e6;
  return { cpuSeconds, memoryBytes: Math.max(0, usage - cached) };
}

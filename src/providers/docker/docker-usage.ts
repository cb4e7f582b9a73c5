import type { ContainerStats } from "dockerode";
import type { InstanceUsage } from "../provider.ts";

/**
 * What `docker stats` shows: CPU time, and memory without the page cache that can be given back at once.
 * Source: docker/cli, cli/command/container/stats_helpers.go, calculateMemUsageUnixNoCache.
 * @returns undefined for a container that does not run: the engine then tells of nothing
 */
export function usageFromStats({ cpu_stats, memory_stats }: ContainerStats): InstanceUsage | undefined {
  const usage = memory_stats?.usage;
  if (usage === undefined) return undefined;
  const { total_inactive_file, inactive_file } = (memory_stats.stats ?? {}) as { readonly total_inactive_file?: number; readonly inactive_file?: number };
  // cgroup v1 names it total_inactive_file, v2 inactive_file.
  const cache = total_inactive_file ?? inactive_file ?? 0;
  return { cpuSeconds: cpu_stats.cpu_usage.total_usage / 1e9, memoryBytes: cache < usage ? usage - cache : usage };
}

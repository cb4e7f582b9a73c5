import type { InstanceUsage } from "../provider.ts";

/** Adds up what `usageScript` printed. Memory that processes share is counted for each. Source: proc(5), /proc/pid/stat. */
export function usageFromStat(text: string): InstanceUsage {
  const lines = text.trim().split("\n");
  const [, ticksASecond = "100", , pageBytes = "4096"] = lines.pop()!.split(" ");
  let ticks = 0;
  let pages = 0;
  for (const line of lines) {
    // The command in parentheses may hold anything; state is the first field after it, number 3.
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    const field = (number: number) => Number(fields[number - 3] ?? 0) || 0;
    ticks += field(14) + field(15);
    pages += field(24);
  }
  return { cpuSeconds: ticks / (Number(ticksASecond) || 100), memoryBytes: pages * (Number(pageBytes) || 4096) };
}

import { readdirSync, readFileSync } from "node:fs";

/** What a process uses, by Linux' own counts (proc(5)). */
export interface Usage {
  /** Processor time of its threads so far, and of its children that have ended. */
  readonly cpuMs: number;
  readonly residentMiB: number;
  /** Its part of memory that is shared counts as a part (PSS), so that those of several processes can be added. */
  readonly shareMiB: number;
}

/** proc(5), USER_HZ: the same on every machine that Node.js runs on. */
const tickMs = 10;

/** @throws ENOENT, ESRCH when it has ended */
export function usageOf(pid: number): Usage {
  // Nanoseconds, where /proc/PID/stat has ticks, of which many an idle process does not fill one in a minute.
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6);
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  const children = (Number(stat[13]) + Number(stat[14])) * tickMs;
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mebibytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1]) / 1024;
  return { cpuMs: threads.reduce((sum, each) => sum + each, 0) + children, residentMiB: mebibytes("Rss"), shareMiB: mebibytes("Pss") };
}

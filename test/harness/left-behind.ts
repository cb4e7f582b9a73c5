import { readdirSync, readFileSync } from "node:fs";

export interface ProcessLeft {
  readonly pid: number;
  /** Its command line, cut to fit a line. */
  readonly command: string;
}

/** Every process, besides ourselves, whose environment has this mark: what a run handed it down to and did not end. */
export function leftBehind(mark: string): ProcessLeft[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid).flatMap((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark)) return [];
      return [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").slice(0, 160) }];
    } catch {
      // It ended while we looked, or it is somebody else's: neither is ours.
      return [];
    }
  });
}

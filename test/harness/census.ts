import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What one machine's engines hold for somebody, each thing a line. */
export interface Census {
  readonly processes: readonly string[];
  readonly links: readonly string[];
  readonly rules: readonly string[];
  /** On which addresses and ports somebody listens. */
  readonly listening: readonly string[];
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
  readonly files: readonly string[];
}

export interface CensusOf {
  /** Id of the cluster whose containers' cgroups are counted. */
  readonly cluster: string;
  /** Directories below which files are counted, also those that are not there yet. Mounts are counted below them, too. */
  readonly dirs: readonly string[];
  /** Files that come once and stay, by a part of their path. */
  readonly kept?: RegExp;
  /** Command lines that are not counted: a connection over SSH may be made beside another, and stays for a while. */
  readonly connections?: RegExp;
  /** More directories below which mounts are counted. */
  readonly mountDirs?: readonly string[];
}

/** Younger ones are somebody's look at something. */
const settledSeconds = 2;

/**
 * What there is now: of processes, devices, rules and ports those of this test file's own network, and of cgroups all that carry an
 * instance's name. A test file that has no network of its own counts its neighbours, too.
 */
export function takeCensus({ cluster, dirs, kept, connections, mountDirs = [] }: CensusOf): Census {
  const lines = (command: string, ...args: readonly string[]) =>
    execFileSync("sh", ["-c", command, "sh", ...args], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024, env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` } }).split("\n").filter((line) => line !== "");
  return {
    processes: processesHere().filter((command) => connections?.test(command) !== true),
    links: lines("ip -o link show").map((line) => line.replace(/^\d+: ([^:@]+).*$/s, "$1")),
    rules: lines("for table in filter nat; do iptables -w -t $table -S; done; true"),
    listening: lines("ss -Hltn").map((line) => line.split(/\s+/)[3]!),
    mounts: readFileSync("/proc/self/mounts", "utf8").split("\n").map((line) => line.split(" ")[1] ?? "").filter((target) => [...dirs, ...mountDirs].some((dir) => target.startsWith(`${dir}/`)) || target.startsWith("/run/vendetta-")),
    cgroups: lines(`find /sys/fs/cgroup -type d -name "lxc.*vendetta-$1-*" 2>/dev/null; true`, cluster),
    files: dirs.flatMap((dir) => lines('[ ! -d "$1" ] || find "$1" -mindepth 1', dir)).filter((path) => kept?.test(path) !== true),
  };
}

/** What `after` has that `before` did not have, and how often, numbers apart: pids and ports differ from one time to the next. */
export function leaks(before: Census, after: Census): string[] {
  return (Object.keys(after) as (keyof Census)[]).flatMap((what) => {
    const left = new Map<string, number>();
    const known = (line: string) => (what === "processes" ? line.replace(/\d+/g, "N") : line);
    for (const line of before[what]) left.set(known(line), (left.get(known(line)) ?? 0) + 1);
    return after[what].flatMap((line) => {
      const count = left.get(known(line)) ?? 0;
      left.set(known(line), count - 1);
      return count > 0 ? [] : [`${what}: ${line}`];
    });
  });
}

/** How many there are of each kind, for a line of output. */
export function counted(census: Census): string {
  return (Object.keys(census) as (keyof Census)[]).map((what) => `${what} ${census[what].length}`).join(", ");
}

function processesHere(): string[] {
  const network = readlinkSync("/proc/self/ns/net");
  const uptimeSeconds = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap((pid) => {
    try {
      if (readlinkSync(`/proc/${pid}/ns/net`) !== network) return [];
      const startedSeconds = Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[19]) / 100;
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim().slice(0, 200);
      return command === "" || uptimeSeconds - startedSeconds < settledSeconds ? [] : [command];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

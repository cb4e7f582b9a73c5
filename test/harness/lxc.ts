import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Why no container of LXC can be made here; undefined when it can. With CI=true a lack is an error, not a skip. */
export function lxcUnavailable(): string | undefined {
  const lacks = ["/usr/bin/lxc-start", "/usr/share/lxc/templates/lxc-busybox", "/bin/busybox"].filter((each) => !existsSync(each));
  const why = process.getuid?.() !== 0 ? "containers of LXC need root" : lacks.length > 0 ? `not installed: ${lacks.join(", ")} (Debian: lxc, lxc-templates, busybox-static)` : undefined;
  if (why !== undefined && process.env["CI"] === "true") throw new Error(`${why}; in CI that is a failure`);
  return why;
}

/** What containers below this directory still hold of the machine: processes, cgroups, mounts, cables, bridges and locks. A server that listens for hints is no container. */
export function heldByContainers(dir: string): string[] {
  const said = (command: string) => execFileSync("sh", ["-c", command], { encoding: "utf8" }).split("\n").filter((line) => line !== "");
  return [
    ...commandLines().filter((line) => line.includes(`${dir}/`) && !line.includes("lxc-node/watch")),
    ...said(`grep -F '${dir}/' /proc/self/mounts; true`),
    ...said(`ip -o link show | grep -o '\\b\\(vl\\|ve\\)[0-9a-f]\\{12\\}\\b'; true`),
    ...said(`find /sys/fs/cgroup -type d -name 'lxc.*.vendetta-conform-u${process.pid}x*' 2>/dev/null; true`),
    ...said(`find /run/lxc/lock${dir} 2>/dev/null; true`),
    ...said(`ls /run/vendetta-lxc 2>/dev/null; true`),
  ];
}

function commandLines(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { eventually } from "./eventually.ts";
import type { TestNetwork } from "./network.ts";

const daemon = "/usr/sbin/dockerd";

/** Why no Docker engine of our own can be started here; undefined when it can. With CI=true a lack is an error, not a skip. */
export function dockerUnavailable(): string | undefined {
  const why = process.getuid?.() !== 0 ? "a Docker engine of the test's own needs root" : !existsSync(daemon) ? "dockerd is not installed (Debian: docker.io)" : !existsSync("/bin/busybox") ? "busybox is not installed (Debian: busybox-static)" : undefined;
  if (why !== undefined && process.env["CI"] === "true") throw new Error(`${why}; in CI that is a failure`);
  return why;
}

/** A Docker engine that the test started, in a directory and on a bridge of its own. */
export interface TestDockerd {
  readonly socketPath: string;
  /** Imports a small busybox image under this name. */
  importBusybox(name: string): Promise<void>;
  /** Kills the daemon, its containerd with it; containers and their shims live on until it is back. Keeps what it has. */
  kill(): Promise<void>;
  /** Ends the daemon and keeps what it has; containers end with it. */
  halt(): Promise<void>;
  /** Starts it again over the same directory. */
  resume(): Promise<void>;
  /** Ends it and removes all traces. */
  stop(): Promise<void>;
}

let made = 0;

/** A bridge in a network of its own: another run of the tests on this machine may be making one at the same moment. */
function addBridge(bridge: string, enter: readonly string[]): void {
  const ip = (...args: readonly string[]) => inside(enter, ["ip", ...args]);
  const addresses = () => ip("-o", "-4", "addr");
  ip("link", "add", bridge, "type", "bridge");
  for (let attempt = 0; attempt < 100; attempt++) {
    const address = `10.213.${randomInt(256)}.1/24`;
    if (addresses().includes(` ${address} `)) continue;
    ip("addr", "add", address, "dev", bridge);
    if (addresses().split(` ${address} `).length === 2) {
      ip("link", "set", bridge, "up");
      return;
    }
    ip("addr", "del", address, "dev", bridge);
  }
  ip("link", "del", bridge);
  throw new Error("no network of 10.213.0.0/16 is free for another engine");
}

function inside(enter: readonly string[], argv: readonly string[]): string {
  const [program, ...args] = [...enter, ...argv];
  return execFileSync(program!, args, { encoding: "utf8" });
}

/** @param network where its containers are reached; this machine's own by default */
export async function startDockerd(network?: TestNetwork): Promise<TestDockerd> {
  const enter = network?.enter ?? [];
  const dir = mkdtempSync(join(tmpdir(), "vd-docker-"));
  const bridge = `vdt${process.pid % 100_000}x${made++}`;
  const socketPath = join(dir, "docker.sock");
  addBridge(bridge, enter);
  let child: ChildProcess | undefined;

  const start = async () => {
    // One that was killed left them; its pids may be those of zombies, or of anybody by now.
    for (const file of ["pid", "exec/containerd/containerd.pid"]) rmSync(join(dir, file), { force: true });
    const [program, ...before] = [...enter, daemon];
    child = spawn(program!, [...before, "--data-root", join(dir, "data"), "--exec-root", join(dir, "exec"), "--pidfile", join(dir, "pid"), "-H", `unix://${socketPath}`, `--bridge=${bridge}`, "--log-level=warn"], { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` } });
    let said = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4000)));
    const docker = new Docker({ socketPath });
    await eventually(async () => {
      if (child!.exitCode !== null) throw new Error(`dockerd ended with ${child!.exitCode}: ${said}`);
      await docker.ping();
    }, 30_000);
  };
  const end = async (signal: NodeJS.Signals = "SIGTERM") => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child!.once("exit", () => resolve()));
    child.kill(signal);
    await ended;
  };
  /** Dies with its parent, a moment later. */
  const containerdEnded = () => eventually(() => {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) if (commandOf(pid).startsWith(`containerd --config ${dir}/`)) throw new Error(`containerd ${pid} still runs`);
  }, 10_000);
  await start();

  return {
    socketPath,
    importBusybox: (name) => importBusybox(socketPath, name),
    async kill() {
      await end("SIGKILL");
      await containerdEnded();
    },
    halt: () => end(),
    resume: start,
    async stop() {
      const docker = new Docker({ socketPath });
      // A daemon that was halted has nothing running.
      if (child?.exitCode === null && child.signalCode === null) for (const { Id } of await docker.listContainers({ all: true })) await docker.getContainer(Id).remove({ force: true, v: true });
      await end();
      for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n").reverse()) {
        const target = line.split(" ")[1];
        if (target?.startsWith(dir)) execFileSync("umount", ["-l", target]);
      }
      inside(enter, ["ip", "link", "del", bridge]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // It ended while we looked.
  }
}

async function importBusybox(socketPath: string, name: string): Promise<void> {
  const docker = new Docker({ socketPath });
  const root = mkdtempSync(join(tmpdir(), "vd-image-"));
  try {
    for (const folder of ["bin", "etc", "tmp", "root", "proc", "sys", "dev"]) mkdirSync(join(root, folder));
    chmodSync(join(root, "tmp"), 0o1777);
    chmodSync(root, 0o755);
    copyFileSync("/bin/busybox", join(root, "bin/busybox"));
    for (const applet of execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" }).trim().split("\n")) if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
    writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n");
    writeFileSync(join(root, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
    const tar = spawn("tar", ["--numeric-owner", "--owner=0", "--group=0", "-C", root, "-c", "."], { stdio: ["ignore", "pipe", "inherit"] });
    const [repo, tag = "latest"] = name.split(":");
    const stream = await docker.importImage(tar.stdout!, { repo, tag, changes: ["ENV PATH=/bin", 'CMD ["sh"]'] } as object);
    await new Promise<void>((resolve, reject) => docker.modem.followProgress(stream as NodeJS.ReadableStream, (error) => (error ? reject(error) : resolve())));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}


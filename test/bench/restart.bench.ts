// How long after a service was killed its successor runs, told by the service itself: it writes down each of its starts.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/system.ts";
import { writeManifests } from "../e2e/stack.ts";
import { createTestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { benchOnDocker } from "./bench-on-docker.ts";
import { figure, spread } from "./figures.ts";

/** One kill each: a service's first restart comes at once, a second one would wait for its back-off. */
const services = 20;

interface Place {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workspace: (dir: string) => object;
  /** When the last start was, in milliseconds since the epoch. */
  readonly startedAt: (file: string) => number;
}

const host: Place = {
  name: "plain process",
  env: {},
  workspace: () => ({ provider: "host" }),
  // Written by date, which runs a millisecond or two after the service's own process does.
  startedAt: (file) => Number(lines(file).at(-1)) / 1e6,
};

const container = (socketPath: string): Place => ({
  name: "busybox container",
  env: { DOCKER_HOST: `unix://${socketPath}` },
  workspace: (dir) => ({ provider: "docker", image: "busybox:test", mounts: [{ path: dir, hostPath: dir }] }),
  // Busybox's date knows whole seconds only; the kernel's time of the last write is exact to a tick of 4 ms or less.
  startedAt: (file) => statSync(file).mtimeMs,
});

const lines = (file: string) => readFileSync(file, "utf8").trim().split("\n");

/** Each service ends up as a sleep of a length of its own, which is how its process is found from outside. */
const secondsOf = (place: Place, number: number) => `${process.pid}${place === host ? 1 : 2}${String(number).padStart(2, "0")}`;

function pidOfSleep(seconds: string): number {
  const pid = readdirSync("/proc").find((each) => {
    try {
      return /^\d+$/.test(each) && readFileSync(`/proc/${each}/cmdline`, "utf8") === `sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  });
  if (pid === undefined) throw new Error(`no process "sleep ${seconds}"`);
  return Number(pid);
}

async function bench(place: Place): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "vendetta-bench-"));
  const cli = createTestCli(place.env);
  const file = writeManifests(cli.home, "bench.yaml", [
    { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "bench" }, spec: place.workspace(dir) },
    ...Array.from({ length: services }, (_, i) => ({
      apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `s${i}` },
      spec: { workspace: "bench", command: ["sh", "-c", `date +%s%N >> ${dir}/${i}; exec sleep ${secondsOf(place, i)}`] },
    })),
  ]);
  const samples: number[] = [];
  try {
    await cli.ok("apply", "-f", file, "--wait", "--timeout", "60s");
    for (let i = 0; i < services; i++) {
      const pid = pidOfSleep(secondsOf(place, i));
      const killedAt = Date.now();
      process.kill(pid, "SIGKILL");
      await eventually(() => {
        if (lines(join(dir, String(i))).length < 2) throw new Error(`s${i} was not started again`);
      }, 10_000, 5);
      samples.push(place.startedAt(join(dir, String(i))) - killedAt);
      // Status and events of this one are written before the next is killed.
      await sleep(systemClock, 200);
    }
    await cli.ok("delete", "-f", file);
  } finally {
    await cli.dispose();
    rmSync(dir, { recursive: true, force: true });
  }
  figure(`killed -> successor runs, ${place.name}`, spread(samples), "<= 100 ms");
}

await bench(host);
await benchOnDocker("busybox container", ({ socketPath }) => bench(container(socketPath)));

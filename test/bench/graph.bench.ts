// From `apply --wait` to all of db → api → web and a worker being Ready, beside docker-compose with four containers.
import { execFile, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import Docker from "dockerode";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/system.ts";
import { httpd, stackManifests, writeManifests } from "../e2e/stack.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import type { TestDockerd } from "../harness/docker.ts";
import { benchOnDocker } from "./bench-on-docker.ts";
import { figure, percentile, ratio, spread, timed } from "./figures.ts";

const rounds = 3;
const image = "busybox:test";
const run = promisify(execFile);

/** The same commands, order and checks. On the engine's own bridge, which spares compose the making of a network. */
function composeFile(interval: string): object {
  const service = (name: string, port: number, ...dependsOn: string[]) => ({
    image, network_mode: "bridge", init: true, environment: { PORT: String(port) },
    command: ["sh", "-c", httpd(name).replaceAll("$", "$$$$")],
    healthcheck: { test: ["CMD", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${port}/`], interval, timeout: "2s", retries: 30 },
    depends_on: Object.fromEntries(dependsOn.map((each) => [each, { condition: "service_healthy" }])),
  });
  return {
    version: "2.4",
    services: {
      db: service("db", 8001),
      api: service("api", 8002, "db"),
      web: service("web", 8003, "api"),
      worker: { image, network_mode: "bridge", init: true, command: ["sh", "-c", "while :; do echo working; sleep 1; done"], depends_on: { api: { condition: "service_healthy" } } },
    },
  };
}

/** What docker-compose says of itself; undefined when it is not installed. */
function composeVersion(): string | undefined {
  try {
    return execFileSync("docker-compose", ["version", "--short"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

async function ours(cli: TestCli, file: string): Promise<number> {
  const took = await timed(() => cli.ok("apply", "-f", file, "--wait", "--timeout", "60s"));
  await cli.ok("delete", "-f", file);
  return took;
}

/** Until compose is back and web, the last of the chain, is healthy. */
async function theirs(cli: TestCli, docker: Docker, interval: string): Promise<number> {
  const file = join(cli.home, "compose.json");
  writeFileSync(file, JSON.stringify(composeFile(interval)));
  const compose = (...args: string[]) => run("docker-compose", ["-p", "bench", "-f", file, ...args], { env: cli.env });
  const health = async () => (await docker.getContainer("bench_web_1").inspect()).State.Health?.Status;
  try {
    return await timed(async () => {
      await compose("up", "-d");
      while ((await health()) !== "healthy") await sleep(systemClock, 10);
    });
  } finally {
    await compose("down", "-t", "1");
  }
}

async function bench({ socketPath }: TestDockerd): Promise<void> {
  const docker = new Docker({ socketPath });
  const version = composeVersion();
  const cli = createTestCli({ DOCKER_HOST: `unix://${socketPath}` });
  try {
    const file = writeManifests(cli.home, "stack.yaml", stackManifests());
    await cli.ok("server", "start");
    const samples: { readonly ours: number[]; readonly everySecond: number[]; readonly often: number[] } = { ours: [], everySecond: [], often: [] };
    for (let round = 0; round < rounds; round++) {
      samples.ours.push(await ours(cli, file));
      if (version === undefined) continue;
      samples.everySecond.push(await theirs(cli, docker, "1s"));
      samples.often.push(await theirs(cli, docker, "100ms"));
    }
    const median = percentile(samples.ours, 0.5);
    figure("vendetta apply --wait: one container, four services", spread(samples.ours));
    if (version === undefined) return figure("docker-compose", "not installed: no comparison");
    figure(`docker-compose ${version} up -d until healthy, checks every 1 s`, spread(samples.everySecond));
    figure("the same, checks every 100 ms", spread(samples.often));
    figure("against docker-compose, checks every 1 s", ratio(median / percentile(samples.everySecond, 0.5)), "<= 0.6x");
    figure("against docker-compose, checks every 100 ms", ratio(median / percentile(samples.often, 0.5)));
  } finally {
    await cli.dispose();
  }
}

await benchOnDocker("graph", bench);

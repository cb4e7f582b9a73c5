// Test run: about 47 s.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { dockerApi } from "../harness/docker-api.ts";
import { startProgram, type ProgramResult } from "../harness/program.ts";
import { inMachineNetwork } from "../runner/own-network.ts";

/** A clone of what is checked out, with nothing installed and nothing built. */
function freshClone(): string {
  const clone = mkdtempSync(join(tmpdir(), "vd-clone-"));
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" }).split("\0").filter((file) => file !== "");
  for (const file of files) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(file, join(clone, file), { force: true, errorOnExist: false });
  }
  return clone;
}

function start(clone: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProgramResult> {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_") && !name.startsWith("NODE_TEST")));
  return startProgram(argv[0]!, argv.slice(1), { cwd: clone, env: { ...inherited, NO_COLOR: "1", ...env }, stdin: "", timeoutMs: 300_000 }).ended;
}

const npm = (clone: string, home: string, dockerHost: string, ...args: readonly string[]) => start(clone, ["npm", ...args], { VENDETTA_HOME: home, DOCKER_HOST: dockerHost });

const urls = (text: string) => [...new Set(text.match(/http:\/\/127\.0\.0\.1:\d+/g) ?? [])];

/** Processes that run anything of this home or clone. */
function processesOf(...folders: string[]): string[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).flatMap((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, "utf8") + readFileSync(`/proc/${pid}/environ`, "utf8");
      return folders.some((folder) => text.includes(folder)) ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")] : [];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
}

async function tour(clone: string, dockerHost: string): Promise<{ readonly up: ProgramResult; readonly home: string }> {
  const home = mkdtempSync(join(tmpdir(), "vd-home-"));
  const up = await npm(clone, home, dockerHost, "start");
  assert.equal(up.code, 0, up.stdout + up.stderr);
  const printed = urls(up.stdout);
  assert.equal(printed.length, 3, `three services have a URL:\n${up.stdout}`);
  const pages = await Promise.all(printed.map(async (url) => (await fetch(url)).text()));
  assert.ok(pages.some((page) => page.includes("<h1>hello from the database, by way of the api</h1>")), pages.join("\n"));
  const again = await npm(clone, home, dockerHost, "start");
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(urls(again.stdout), printed);
  assert.doesNotMatch(again.stdout, /\b(created|configured)\b/, "the second start changes nothing");
  return { up, home };
}

async function stop(clone: string, home: string, dockerHost: string): Promise<void> {
  const down = await npm(clone, home, dockerHost, "stop");
  assert.equal(down.code, 0, down.stdout + down.stderr);
  assert.deepEqual(processesOf(home, clone), []);
  rmSync(home, { recursive: true, force: true });
}

describe("the README's first command on a fresh clone with an empty home", () => {
  let clone: string;
  before(async () => {
    clone = freshClone();
    // The first step of npm start, ahead of it: where the rest runs, nothing can be fetched.
    const fetched = await start(clone, inMachineNetwork(["npm", "run", "deps"]));
    assert.equal(fetched.code, 0, fetched.stdout + fetched.stderr);
  });
  after(() => rmSync(clone, { recursive: true, force: true }));

  it("without Docker: runs as plain processes, and says so", async () => {
    const dockerHost = "unix:///nonexistent/docker.sock";
    const { up, home } = await tour(clone, dockerHost);
    assert.match(up.stderr + up.stdout, /no isolation/i);
    await stop(clone, home, dockerHost);
  });

  it("with Docker: runs in a container, and npm stop leaves nothing", { skip: dockerUnavailable() ?? false }, async () => {
    let dockerd: TestDockerd | undefined;
    try {
      dockerd = await startDockerd();
      const dockerHost = `unix://${dockerd.socketPath}`;
      const docker = dockerApi(dockerd.socketPath);
      const { home } = await tour(clone, dockerHost);
      assert.equal((await docker.containers({ label: ["vendetta.dev/cluster"] })).length, 1);
      await stop(clone, home, dockerHost);
      assert.deepEqual(await docker.containers({ label: ["vendetta.dev/cluster"] }), []);
      assert.deepEqual(await docker.volumes({ label: ["vendetta.dev/cluster"] }), []);
    } finally {
      await dockerd?.stop();
    }
  });
});

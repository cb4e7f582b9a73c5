// Test run: about 30 s.

import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { findCondition } from "../../src/api/conditions.ts";
import type { Source } from "../../src/api/source.ts";
import { isNotFound } from "../../src/api/status-error.ts";
import { systemClock as clock } from "../../src/base/system.ts";
import { createHttpStore, type HttpStore } from "../../src/client/http-store.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { freePort } from "../harness/ports.ts";
import { serviceText, workspaceText } from "../harness/source-world.ts";

/** An idle machine needs a third of a second; the tests share theirs. */
const followMs = 10_000;
const pollMs = 20;
const sleeper = { command: ["sleep", "100000"] };

describe("a Source on a server", { timeout: 180_000 }, () => {
  let cli: TestCli;
  let store: HttpStore;
  let root: string;
  const took: string[] = [];

  const connect = () => createHttpStore({ socketPath: join(cli.home, "run", "api.sock"), clock, userAgent: "test" });
  before(async () => {
    cli = createTestCli();
    root = mkdtempSync(join(tmpdir(), "vd-source-"));
    await cli.ok("server", "start");
    store = connect();
  });
  after(async () => {
    await store?.close();
    await cli?.dispose();
    rmSync(root, { recursive: true, force: true });
    console.log(took.join("\n"));
  });

  const get = (name: string) => store.get("Source", { name });
  const ready = (source: Source) => {
    const found = findCondition(source.status?.conditions, "Ready");
    return `${found?.status} ${found?.reason}`;
  };
  const isReady = (name: string, expected = "True Applied", timeoutMs = followMs) => eventually(async () => assert.equal(ready(await get(name)), expected), timeoutMs, pollMs);
  const names = async (prefix: string) => (await store.list("Service", { namespace: "default" })).items.map(({ metadata }) => metadata.name).filter((each) => each.startsWith(prefix)).sort();
  const has = (prefix: string, ...expected: readonly string[]) => eventually(async () => assert.deepEqual(await names(prefix), expected), followMs, pollMs);
  const service = (name: string) => store.get("Service", { namespace: "default", name });
  const follow = async (name: string, spec: object) => {
    await store.patch("Source", { name }, { type: "apply", patch: { apiVersion: "vendetta.dev/v1alpha1", kind: "Source", metadata: { name }, spec }, force: true }, { fieldManager: "test" });
  };
  /** Nobody follows it any more, and what it had goes. */
  const end = async (name: string) => {
    const { status } = await get(name);
    await store.delete("Source", { name });
    for (const { kind, namespace, name: object } of status?.inventory ?? []) {
      await store.delete(kind as "Service", { namespace, name: object }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  };
  const timed = async (what: string, change: () => unknown, seen: () => Promise<unknown>) => {
    const begun = performance.now();
    await change();
    await seen();
    took.push(`${what}: ${(performance.now() - begun).toFixed(0)} ms`);
  };
  const put = (dir: string, name: string, text: string) => {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    // As editors do it: a new file in the place of the old one.
    writeFileSync(join(dir, `${name}.tmp~`), text);
    renameSync(join(dir, `${name}.tmp~`), join(dir, name));
  };
  const stopped = (name: string) => workspaceText(name, { state: "Stopped" });

  it("restarts only what must be restarted, and says so beforehand", async () => {
    const dir = join(root, "restarts");
    put(dir, "w.yaml", workspaceText("r"));
    for (const name of ["ra", "rb"]) put(dir, `${name}.yaml`, serviceText(name, { workspace: "r", ...sleeper, env: { V: "1" } }));
    await cli.ok("server", "start", "--watch", dir);
    const pids = () => eventually(async () => {
      const all = await Promise.all(["ra", "rb"].map(service));
      for (const each of all) assert.deepEqual([findCondition(each.status?.conditions, "Ready")?.status, each.status?.observedGeneration], ["True", each.metadata.generation]);
      return all.map(({ status }) => status!.pid!);
    }, 30_000, 100);
    const before = await pids();
    await timed("a label changes", () => put(dir, "ra.yaml", serviceText("ra", { workspace: "r", ...sleeper, env: { V: "1" } }, { labels: { x: "y" } })), () => eventually(async () => assert.equal((await service("ra")).metadata.labels?.["x"], "y"), followMs, pollMs));
    assert.deepEqual(await pids(), before);

    await cli.ok("source", "suspend", "watch");
    put(dir, "ra.yaml", serviceText("ra", { workspace: "r", ...sleeper, env: { V: "2" } }, { labels: { x: "y" } }));
    const diff = await cli.run(["diff", "-f", dir]);
    assert.equal(diff.code, 1, diff.stderr);
    assert.match(diff.stdout, /-\s+V: "1"\n\+\s+V: "2"[^]*# service\.vendetta\.dev\/ra of default configured: it is restarted \(env changed\)\n/);
    assert.equal((await service("ra")).spec.env["V"], "1");
    await cli.ok("source", "resume", "watch");
    await eventually(async () => assert.equal((await service("ra")).spec.env["V"], "2"), followMs, pollMs);
    const after = await pids();
    assert.notEqual(after[0], before[0]);
    assert.equal(after[1], before[1]);

    put(dir, "w.yaml", workspaceText("r", { env: { W: "1" } }));
    await eventually(async () => assert.match((await cli.ok("events", "--for", "workspace/r")), /Configured +Source "watch" changes .*its instance is made anew \(env changed\), volumes are kept/), 30_000, 300);
    await end("watch");
  });

  describe("that follows a git repository", () => {
    let origin: string;
    let daemon: ChildProcess | undefined;
    const git = (...args: readonly string[]) => execFileSync("git", ["-C", origin, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    const commit = (change: () => void) => {
      change();
      git("add", "-A");
      git("commit", "-qm", "change");
      return git("rev-parse", "HEAD");
    };
    before(() => {
      origin = join(root, "origin");
      execFileSync("git", ["init", "-q", "-b", "main", origin]);
    });
    after(() => void daemon?.kill());

    it("on this machine: commits that add, change and remove, a broken one, another branch and back", async () => {
      commit(() => {
        put(origin, "env/w.yaml", stopped("g"));
        put(origin, "env/ga.yaml", serviceText("ga", { workspace: "g", env: { V: "1" } }));
      });
      await follow("git", { git: { url: origin, path: "env", intervalSeconds: 3600 } });
      await has("g", "ga");
      await timed("a commit adds", () => commit(() => put(origin, "env/gb.yaml", serviceText("gb", { workspace: "g" }))), () => has("g", "ga", "gb"));
      await timed("a commit changes", () => commit(() => put(origin, "env/ga.yaml", serviceText("ga", { workspace: "g", env: { V: "2" } }))), () => eventually(async () => assert.equal((await service("ga")).spec.env["V"], "2"), followMs, pollMs));
      await timed("a commit removes", () => commit(() => unlinkSync(join(origin, "env/gb.yaml"))), () => has("g", "ga"));

      const good = git("rev-parse", "HEAD");
      commit(() => {
        put(origin, "env/ga.yaml", "kind: [\n");
        put(origin, "env/gc.yaml", serviceText("gc", { workspace: "g" }));
      });
      await isReady("git", "False Invalid");
      assert.deepEqual([await names("g"), (await get("git")).status?.lastAppliedRevision], [["ga"], good]);
      assert.match(await cli.ok("source", "status", "git"), /Problems:\n {2}ga\.yaml:2:1: /);
      git("reset", "-q", "--hard", good);
      await isReady("git");

      git("checkout", "-q", "-b", "other");
      commit(() => {
        unlinkSync(join(origin, "env/ga.yaml"));
        put(origin, "env/gz.yaml", serviceText("gz", { workspace: "g" }));
      });
      await has("g", "gz");
      git("checkout", "-q", "main");
      await has("g", "ga");
      assert.equal((await get("git")).status?.lastAppliedRevision, good);
      await end("git");
    });

    it("elsewhere: within the interval, and what runs runs on while it cannot be asked", async () => {
      const port = await freePort();
      const start = () => {
        daemon = spawn("git", ["daemon", "--reuseaddr", "--export-all", `--base-path=${root}`, "--listen=127.0.0.1", `--port=${port}`], { stdio: "ignore" });
      };
      start();
      await follow("remote", { git: { url: `git://127.0.0.1:${port}/origin`, ref: "main", path: "env", intervalSeconds: 1 } });
      await isReady("remote", "True Applied", 20_000);
      const head = commit(() => put(origin, "env/gr.yaml", serviceText("gr", { workspace: "g" })));
      await timed("a commit elsewhere, asked for every second", () => {}, () => eventually(async () => assert.equal((await get("remote")).status?.lastAppliedRevision, head), followMs, pollMs));
      daemon!.kill();
      const fetched = async () => findCondition((await get("remote")).status?.conditions, "Fetched")?.status;
      await eventually(async () => assert.equal(await fetched(), "False"), 20_000, 100);
      assert.deepEqual([ready(await get("remote")), await names("g")], ["True Applied", ["ga", "gr"]]);
      start();
      await eventually(async () => assert.equal(await fetched(), "True"), 20_000, 100);
      await end("remote");
    });
  });

  it("gives up a repository that does not answer when its address is corrected, and when it is deleted", async () => {
    const good = join(root, "answers");
    execFileSync("git", ["init", "-q", "-b", "main", good]);
    put(good, "env/s.yaml", serviceText("sg", { workspace: "s" }));
    execFileSync("git", ["-C", good, "add", "-A"]);
    execFileSync("git", ["-C", good, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "one"]);
    const calls = new Set<Socket>();
    const silent = createServer((socket) => void calls.add(socket.on("error", () => {}).on("close", () => calls.delete(socket)).resume()));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const url = `git://127.0.0.1:${(silent.address() as AddressInfo).port}/stack`;
    try {
      await follow("silent", { git: { url } });
      await eventually(() => Promise.resolve(assert.equal(calls.size, 1)), followMs, pollMs);
      await timed("a corrected address of a repository that did not answer", () => follow("silent", { git: { url: good, path: "env" } }), () => isReady("silent"));
      await eventually(() => Promise.resolve(assert.equal(calls.size, 0)), followMs, pollMs);
      await has("sg", "sg");
      await follow("silent", { git: { url } });
      await eventually(() => Promise.resolve(assert.equal(calls.size, 1)), followMs, pollMs);
      await end("silent");
      await eventually(() => Promise.resolve(assert.equal(calls.size, 0)), followMs, pollMs);
    } finally {
      for (const each of calls) each.destroy();
      silent.close();
    }
  });

  describe("that follows a directory", () => {
    let dir: string;
    const five = ["d1", "d2", "d3", "d4", "d5", "d6"];
    before(async () => {
      dir = join(root, "dir");
      put(dir, "w.yaml", stopped("d"));
      for (const name of five) put(dir, `sub/${name}.yaml`, serviceText(name, { workspace: "d" }));
      await follow("dir", { directory: { path: dir, intervalSeconds: 1 } });
      await isReady("dir");
    });
    after(() => end("dir"));
    const nothingPruned = async (reason: string) => {
      await isReady("dir", `False ${reason}`);
      const held = findCondition((await get("dir")).status?.conditions, "PruneHeld");
      assert.deepEqual([held?.status, await names("d")], ["True", five]);
    };

    it("sees what no event tells of", async () => {
      // Hidden directories are not watched, and where a link leads to is.
      mkdirSync(join(dir, "..data"));
      writeFileSync(join(dir, "..data", "d7.yaml"), serviceText("d7", { workspace: "d" }));
      symlinkSync("..data/d7.yaml", join(dir, "d7.yaml"));
      await has("d", ...five, "d7");
      writeFileSync(join(dir, "..data", "d7.yaml"), serviceText("d7", { workspace: "d", env: { V: "2" } }));
      await eventually(async () => assert.equal((await service("d7")).spec.env["V"], "2"), followMs, pollMs);
      rmSync(join(dir, "d7.yaml"));
      rmSync(join(dir, "..data"), { recursive: true });
      await has("d", ...five);
    });
    it("deletes nothing when it is deleted, replaced by a file or emptied, and goes on when it is back", async () => {
      renameSync(dir, `${dir}-off`);
      await nothingPruned("NotFound");
      writeFileSync(dir, "a file");
      await nothingPruned("NotADirectory");
      rmSync(dir);
      mkdirSync(dir);
      await nothingPruned("PruneHeld");
      rmSync(dir, { recursive: true });
      cpSync(`${dir}-off`, dir, { recursive: true });
      rmSync(`${dir}-off`, { recursive: true });
      await isReady("dir");
      for (const name of readdirSync(dir)) renameSync(join(dir, name), join(root, `off-${name}`));
      await nothingPruned("PruneHeld");
      for (const name of ["w.yaml", "sub"]) renameSync(join(root, `off-${name}`), join(dir, name));
      await isReady("dir");
      assert.deepEqual(await names("d"), five);
    });
    it("deletes nothing when it is unmounted", { skip: process.getuid?.() === 0 ? false : "needs root, to mount" }, async () => {
      const mounted = join(root, "mounted");
      mkdirSync(mounted);
      execFileSync("mount", ["-t", "tmpfs", "none", mounted]);
      try {
        put(mounted, "m.yaml", stopped("m") + "---\n" + serviceText("m1", { workspace: "m" }));
        await follow("mounted", { directory: { path: mounted, intervalSeconds: 1 } });
        await has("m", "m1");
      } finally {
        // A watch holds no file system: it can be taken away under it.
        execFileSync("umount", [mounted]);
      }
      await isReady("mounted", "False PruneHeld");
      assert.deepEqual(await names("m"), ["m1"]);
      await end("mounted");
    });
    it("does what is approved, as it was shown", async () => {
      for (const name of five.slice(1)) unlinkSync(join(dir, "sub", `${name}.yaml`));
      await nothingPruned("PruneHeld");
      const { code, stderr } = await cli.run(["source", "sync", "dir"]);
      assert.deepEqual([code, /5 of 7 objects are in it no more, 71 % of them/.test(stderr)], [1, true], stderr);
      assert.match((await cli.run(["source", "diff", "dir"])).stdout, /# service\.vendetta\.dev\/d6 of default pruned\n$/);
      const approved = await cli.run(["source", "approve", "dir"]);
      assert.deepEqual([approved.code, approved.stderr.split("\n").filter((line) => line.startsWith("to be deleted: ")).length], [0, 5], approved.stderr);
      assert.deepEqual(await names("d"), ["d1"]);
      for (const name of five.slice(1)) put(dir, `sub/${name}.yaml`, serviceText(name, { workspace: "d" }));
      await isReady("dir");
    });
    it("of which another one claims an object: that one says so and changes nothing", async () => {
      const other = join(root, "other");
      put(other, "a.yaml", serviceText("new-one", { workspace: "d" }));
      put(other, "b.yaml", serviceText("d1", { workspace: "d", env: { MINE: "1" } }));
      await follow("other", { directory: { path: other, intervalSeconds: 1 } });
      await isReady("other", "False Refused");
      assert.match((await get("other")).status!.problems![0]!.message, /^Service "d1" belongs to Source "dir"; /);
      assert.deepEqual([await names("new"), (await service("d1")).spec.env], [[], {}]);
      await end("other");
    });
    it("sets again what others change", async () => {
      await timed("a hand edit is reverted", () => cli.ok("patch", "service", "d1", "-p", '{"spec":{"command":["other"]}}'), () => eventually(async () => {
        assert.match(await cli.ok("events", "--for", "service/d1"), /DriftReverted/);
        assert.deepEqual((await service("d1")).spec.command, ["run", "d1"]);
      }, followMs, pollMs));
    });
    it("converges after the server was killed in the middle", async () => {
      const many = Array.from({ length: 150 }, (_, i) => `k${String(i).padStart(3, "0")}`);
      for (const name of many) put(dir, `k/${name}.yaml`, serviceText(name, { workspace: "d" }));
      await eventually(async () => assert.ok((await names("k")).length > 0), followMs, 2);
      process.kill(await cli.serverPid(), "SIGKILL");
      // What goes while nobody looks, goes.
      for (const name of many.slice(100)) unlinkSync(join(dir, "k", `${name}.yaml`));
      await cli.ok("server", "start");
      await has("k", ...many.slice(0, 100));
      await isReady("dir");
      assert.equal((await get("dir")).status?.objects, 107);
    });
  });
});

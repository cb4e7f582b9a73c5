// Test run: about 50 s.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { findCondition } from "../../src/api/conditions.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Source } from "../../src/api/source.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { dockerApi } from "../harness/docker-api.ts";
import { eventually } from "../harness/eventually.ts";
import { lxcUnavailable } from "../harness/lxc.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { qemuUnavailable, tinyGuest } from "../harness/tiny-guest.ts";
import { conditionOf } from "./stack.ts";

const examples = "examples";
/** It has a test file of its own. */
const elsewhere = ["quickstart"];

/** A machine that is reached over SSH, with a Docker engine and a home of its own. */
interface FarMachine {
  readonly dockerd: TestDockerd;
  readonly sshd: TestSshd;
  readonly home: string;
}

describe("the examples", { skip: dockerUnavailable() ?? sshdUnavailable() ?? false, timeout: 600_000 }, () => {
  let dockerd: TestDockerd;
  let cli: TestCli;
  let copies: string;
  let far: FarMachine | undefined;

  before(async () => {
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:1.36");
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    // Some of them write into their folder.
    copies = mkdtempSync(join(tmpdir(), "vd-examples-"));
    cpSync(examples, copies, { recursive: true });
  });
  after(async () => {
    // Plain processes outlive a story that failed half way.
    await cli?.run(["delete", "services,workspaces", "--all"]);
    await cli?.dispose();
    await Promise.all([dockerd?.stop(), far?.dockerd.stop(), far?.sshd.stop()]);
    if (far !== undefined) rmSync(far.home, { recursive: true, force: true });
    rmSync(copies, { recursive: true, force: true });
  });

  const services = async () => new Map((await cli.json<{ items: Service[] }>("services")).items.map((each) => [each.metadata.name, each]));
  const text = async (url: string) => (await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text()).trim();

  const addFarMachine = async () => {
    if (far === undefined) {
      const home = mkdtempSync(join(tmpdir(), "vd-far-"));
      far = { home, dockerd: await startDockerd(), sshd: await startSshd({ home, authorizedKeysFile: join(home, ".ssh", "authorized_keys") }) };
      await far.dockerd.importBusybox("busybox:1.36");
      mkdirSync(join(home, ".ssh"), { mode: 0o700 });
      copyFileSync(`${far.sshd.keyFile}.pub`, join(home, ".ssh", "authorized_keys"));
      const fingerprint = execFileSync("ssh-keygen", ["-lf", "-"], { input: far.sshd.hostKey, encoding: "utf8" }).split(" ")[1]!;
      await cli.ok("node", "add", `${far.sshd.user}@127.0.0.1:${far.sshd.port}`, "--name", "box", "--label", "place=far", "--accept-host-key", fingerprint, "--identity", far.sshd.keyFile, "--docker-socket", far.dockerd.socketPath);
    }
  };
  /** No image is fetched here: the machine's manifest is applied with a small guest of the tests' own in the image's place. */
  const useTinyGuest = async (file: string) => {
    const { image, engine } = await tinyGuest();
    const documents = parseAllDocuments(readFileSync(file, "utf8")).map((each) => each.toJS() as { spec: { provider?: string } });
    const changed = documents.map((each) => (each.spec.provider === "qemu" ? { ...each, spec: { ...each.spec, image, qemu: engine } } : each));
    writeFileSync(file, changed.map((each) => stringify(each)).join("---\n"));
  };

  /** What is done once before an example, as its first lines say. */
  const preparations: Readonly<Record<string, () => Promise<void>>> = {
    machines: addFarMachine,
    qemu: () => useTinyGuest(join(copies, "qemu", "machine.yaml")),
    async engines() {
      await addFarMachine();
      await useTinyGuest(join(copies, "engines", "stack.yaml"));
    },
  };
  /** What an example needs beside Docker; undefined: it is there. */
  const lacks: Readonly<Record<string, string | undefined>> = { lxc: lxcUnavailable(), qemu: qemuUnavailable(), engines: lxcUnavailable() ?? qemuUnavailable() };

  /** What each example claims, looked at while it runs. */
  const stories: Readonly<Record<string, () => Promise<void>>> = {
    async graph() {
      const all = await services();
      const readyAt = (name: string, type = "Ready") => Date.parse(conditionOf(all.get(name)!, type).lastTransitionTime);
      const startedAt = (name: string) => Date.parse(all.get(name)!.status!.startedAt!);
      assert.ok(startedAt("graph-db") >= readyAt("graph-migrate", "Completed"));
      assert.ok(startedAt("graph-api") >= readyAt("graph-db"));
      assert.ok(startedAt("graph-web") >= readyAt("graph-api"));
      for (const name of ["graph-db", "graph-api", "graph-web"]) assert.equal(await text(all.get(name)!.status!.url!), "made once");
      await cli.ok("exec", "graph", "--", "sh", "-c", "echo 'kept' > /data/www/index.html");
      const docker = dockerApi(dockerd.socketPath);
      const [container] = await docker.containers({ label: ["vendetta.dev/name=graph"] });
      await docker.remove(container!.Id);
      await eventually(async () => assert.equal(await text((await services()).get("graph-db")!.status!.url!), "kept"), 20_000, 300);
      // Its own check asks the page for "made": what was changed behind its back shows.
      await eventually(async () => assert.notEqual(conditionOf((await services()).get("graph-web")!, "Ready").status, "True"), 20_000, 300);
    },
    async worktree() {
      assert.match(await cli.ok("logs", "checks"), /workspace\.yaml[^]*all is well/);
      assert.equal((await cli.ok("exec", "feature", "--", "sh", "-c", "pwd; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; true")).trim().split("\n").join(" "), "/work 100");
      await cli.ok("exec", "feature", "--", "touch", "edited");
      assert.ok(existsSync(join(copies, "worktree", "edited")));
      assert.match(await cli.ok("get", "workspaces", "-l", "owner=agent", "-o", "name"), /feature/);
    },
    async source() {
      const folder = join(copies, "source", "stack");
      const reason = async () => findCondition((await cli.json<Source>("source", "stack")).status?.conditions, "Ready")?.reason;
      await cli.ok("wait", "services", "ping", "pong", "--for=condition=Ready", "--timeout=30s");
      const file = join(folder, "services.yaml");
      const text = readFileSync(file, "utf8");
      writeFileSync(file, text.replace('EVERY: "1"', 'EVERY: "2"'));
      await eventually(async () => assert.equal((await services()).get("ping")!.spec.env["EVERY"], "2"), 10_000, 100);
      writeFileSync(file, `${text}broken`);
      await eventually(async () => assert.equal(await reason(), "Invalid"), 10_000, 100);
      assert.equal((await services()).get("ping")!.spec.env["EVERY"], "2");
      rmSync(file);
      rmSync(join(folder, "workspace.yaml"));
      await eventually(async () => assert.equal(await reason(), "PruneHeld"), 10_000, 100);
      await cli.ok("source", "approve", "stack");
      await cli.ok("wait", "workspace", "stack", "--for=delete", "--timeout=30s");
    },
    async host() {
      const all = await services();
      assert.equal(all.get("hello")!.status!.url, "http://127.0.0.1:7480");
      await eventually(async () => assert.match(await cli.ok("logs", "caller"), /^hello\n/), 10_000);
    },
    async ports() {
      const { status } = await cli.json<Workspace>("workspace", "ports");
      assert.deepEqual(status!.ports!.map(({ port }) => port), [8080, 8081, 9229]);
      const { endpoints } = (await services()).get("site")!.status!;
      assert.equal(endpoints![0]!.url, "http://127.0.0.1:28080");
      assert.match(endpoints![1]!.url, /^https:\/\/127\.0\.0\.1:\d+$/);
      assert.equal(await text(endpoints![0]!.url), "found me");
      assert.equal(await text(endpoints![1]!.url.replace("https", "http")), "found me");
    },
    async machines() {
      const local = (await cli.json<{ items: Node[] }>("nodes", "-l", "vendetta.dev/local=true")).items[0]!.metadata.name;
      assert.deepEqual(await Promise.all(["far", "near"].map(async (name) => (await cli.json<Workspace>("workspace", name)).status!.nodeName)), ["box", local]);
      const containers = (engine: TestDockerd) => dockerApi(engine.socketPath).containers({ label: ["vendetta.dev/cluster"] });
      assert.deepEqual([(await containers(dockerd)).length, (await containers(far!.dockerd)).length], [0, 1]);
      const all = await services();
      for (const name of ["far-db", "far-api", "far-web"]) assert.equal(await text(all.get(name)!.status!.url!), "far");
      await eventually(async () => assert.match(await cli.ok("logs", "near-worker"), /^from far$/m), 10_000);
      const startedAt = Date.parse(all.get("near-worker")!.status!.startedAt!);
      assert.ok(startedAt >= Date.parse(conditionOf(all.get("far-api")!, "Ready").lastTransitionTime), "it waited for the other machine");

      const status = await cli.ok("cluster", "status");
      assert.match(status, new RegExp(`^box +True +${far!.sshd.user}@127\\.0\\.0\\.1:${far!.sshd.port} `, "m"));
      assert.match(status, /^far +Running +docker +box +3 of 3 /m);
      assert.match(status, new RegExp(`^near +Running +host +${local} +1 of 1 `, "m"));
      assert.equal((await cli.run(["cluster", "status", "--check"])).code, 0);

      // A cut restarts nobody on either machine.
      const pids = async () => [...(await services()).values()].map(({ metadata, status: of }) => [metadata.name, of?.pid, of?.restarts]);
      const before = await pids();
      await far!.sshd.kill();
      await eventually(async () => assert.match(await cli.ok("cluster", "status"), /box +Unreachable/), 60_000, 500);
      assert.equal((await cli.run(["cluster", "status", "--check"])).code, 1);
      await far!.sshd.start();
      await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=90s");
      assert.deepEqual(await pids(), before);
      const { length } = (await cli.ok("logs", "near-worker")).trim().split("\n");
      await eventually(async () => assert.ok((await cli.ok("logs", "near-worker")).trim().split("\n").slice(length).includes("from far")), 15_000, 500);
    },
    async lxc() {
      const box = await cli.json<Workspace>("workspace", "box");
      assert.equal(await text((await services()).get("box-web")!.status!.url!), "box");
      assert.match(await cli.ok("exec", "box", "--", "cat", "/proc/1/comm"), /init/);
      await cli.ok("workspace", "snapshot", "box", "clean");
      await cli.ok("exec", "box", "--", "touch", "/etc/changed");
      await cli.ok("workspace", "restore", "box", "clean", "--yes");
      assert.equal((await cli.run(["exec", "box", "--", "test", "-e", "/etc/changed"])).code, 1);
      await cli.ok("wait", "service", "box-web", "--for=condition=Ready", "--timeout=60s");
      assert.ok(box.status!.address !== undefined && box.status!.ports!.length === 1);
    },
    async qemu() {
      const kernel = (await cli.ok("exec", "machine", "--", "uname", "-r")).trim();
      const { status } = (await services()).get("machine-web")!;
      assert.equal(await text(status!.url!), kernel);
      const { ports, nodeName } = (await cli.json<Workspace>("workspace", "machine")).status!;
      assert.equal(ports![0]!.via, nodeName === "box" ? "Forward" : "Engine");
      await cli.ok("logs", "--console", "machine");
    },
    async engines() {
      const all = await services();
      const [db, api, web] = ["engines-db", "engines-api", "engines-web"].map((name) => all.get(name)!);
      for (const [service, page] of [[db!, "db"], [api!, "api"], [web!, "web"]] as const) assert.equal(await text(service.status!.url!), page);
      const startedAt = (service: Service) => Date.parse(service.status!.startedAt!);
      const readyAt = (service: Service) => Date.parse(conditionOf(service, "Ready").lastTransitionTime);
      assert.ok(startedAt(api!) >= readyAt(db!) && startedAt(web!) >= readyAt(api!), "each waited for the one before");
      assert.deepEqual([db, api, web].map((each) => each!.status!.nodeName === "box"), [true, false, false]);

      // The machine under db is gone at once: who depends on it runs on, and whoever starts now waits, saying why.
      const { instanceId } = (await cli.json<Workspace>("workspace", "engines-db")).status!;
      const pids = execFileSync("sh", ["-c", 'for each in /proc/[0-9]*; do if { tr "\\0" " " < $each/cmdline; } 2>/dev/null | grep -q "^[^ ]*qemu-system.*$1"; then echo ${each#/proc/}; fi; done', "sh", instanceId!], { encoding: "utf8" }).trim().split("\n").map(Number);
      assert.ok(pids.length > 0 && pids.every((pid) => pid > 0));
      for (const pid of pids) process.kill(pid, "SIGKILL");
      await eventually(async () => assert.notEqual(conditionOf((await services()).get("engines-db")!, "Ready").status, "True"), 20_000, 100);
      await cli.ok("restart", "engines-api");
      await eventually(async () => assert.match(conditionOf((await services()).get("engines-api")!, "Ready").message, /engines-db/), 20_000, 100);
      await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=110s");
      assert.match(await cli.ok("events", "--for", "workspace/engines-db"), /InstanceEnded/);
    },
  };

  it("all have a story that is looked at", () => {
    const folders = readdirSync(examples, { withFileTypes: true }).filter((each) => each.isDirectory()).map((each) => each.name);
    assert.deepEqual(folders.filter((name) => !elsewhere.includes(name)).sort(), Object.keys(stories).sort());
  });

  for (const [name, look] of Object.entries(stories)) {
    it(`${name}: is valid, becomes Ready, does what it says, changes nothing when applied again, leaves nothing`, { skip: lacks[name] ?? false }, async () => {
      const folder = join(copies, name);
      await preparations[name]?.();
      await cli.ok("validate", "-f", folder);
      await cli.ok("apply", "-f", folder, "--wait", "--timeout", "110s");
      await look();
      assert.deepEqual((await cli.ok("apply", "-f", folder)).trim().split("\n").filter((line) => !line.endsWith(" unchanged")), []);
      await cli.ok("delete", "-f", folder);
      for (const engine of [dockerd, far?.dockerd]) if (engine !== undefined) assert.deepEqual(await dockerApi(engine.socketPath).containers({ label: ["vendetta.dev/cluster"] }), []);
    });
  }
});

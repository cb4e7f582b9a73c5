import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { Client } from "ssh2";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { homePaths } from "../../src/base/home.ts";
import { systemClock } from "../../src/base/system.ts";
import { createHttpStore, type HttpStore } from "../../src/client/http-store.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { freePort } from "../harness/ports.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { httpd, writeManifests } from "./stack.ts";

const why = sshdUnavailable();
const api = "vendetta.dev/v1alpha1";
const operations = 100;

/** How often that sshd has refused a session because there were too many on a connection. */
const refusals = (sshd: TestSshd) => sshd.log().split("\n").filter((line) => /no more sessions/.test(line)).length;

async function textOf(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream as AsyncIterable<Buffer>) text += String(chunk);
  return text;
}

describe("a Node whose sshd allows two sessions on a connection", { timeout: 240_000, skip: why ?? false }, () => {
  let cli: TestCli;
  let store: HttpStore;
  let sshd: TestSshd;
  let home: string;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), "vd-there-"));
    sshd = await startSshd({ home, options: ["MaxSessions=2"] });
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    await cli.ok("apply", "-f", writeManifests(cli.home, "narrow.yaml", [
      sshNode("narrow", sshd),
      ...[1, 2].flatMap((i) => [
        { apiVersion: api, kind: "Workspace", metadata: { name: `dev-${i}` }, spec: { provider: "host", nodeName: "narrow" } },
        { apiVersion: api, kind: "Service", metadata: { name: `talker-${i}` }, spec: { workspace: `dev-${i}`, command: ["sh", "-c", "seq 1000; exec sleep 100000"] } },
      ]),
    ]), "--wait", "--timeout", "60s");
    store = createHttpStore({ socketPath: homePaths(cli.env).socketPath, clock: systemClock, userAgent: "test" });
  });
  after(async () => {
    await cli?.run(["delete", "workspaces,services", "--all"]);
    await store?.close();
    await cli?.dispose();
    await sshd?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  it("the count of what it refuses can be wrong", async () => {
    const before = refusals(sshd);
    const client = new Client();
    await new Promise<void>((resolve, reject) => client.once("ready", resolve).once("error", reject).connect({ host: sshd.host, port: sshd.port, username: sshd.user, privateKey: sshd.privateKey }));
    try {
      const open = () => new Promise<boolean>((resolve) => void client.exec("sleep 10", (error) => resolve(error === undefined)));
      assert.deepEqual([await open(), await open(), await open()], [true, true, false]);
      await eventually(() => assert.equal(refusals(sshd) - before, 1), 5000);
    } finally {
      client.end();
    }
  });

  it(`${operations} operations at once: none is lost, and no more sessions are asked for than it allows`, async () => {
    const before = refusals(sshd);
    const file = join(home, "lines");
    const ref = (name: string) => ({ namespace: "default", name });
    const answers = await Promise.all(Array.from({ length: operations }, async (_, i): Promise<string> => {
      const target = i % 2 === 0 ? "dev-1" : "dev-2";
      if (i % 5 === 4) return textOf(await store.logs(ref(target.replace("dev", "talker"))));
      const command = await store.exec("Workspace", ref(target), { argv: ["sh", "-c", 'echo "$1" >> "$2"; cat; echo "$1"', "sh", String(i), file], stdin: true, terminal: false });
      command.stdin.end(`in ${i}\n`);
      command.stderr.resume();
      const [said, code] = await Promise.all([textOf(command.stdout), command.exit]);
      return `${said}${code}`;
    }));
    const log = Array.from({ length: 1000 }, (_, i) => `${i + 1}\n`).join("");
    for (const [i, answer] of answers.entries()) assert.equal(answer, i % 5 === 4 ? log : `in ${i}\n${i}\n0`);
    const lines = readFileSync(file, "utf8").trim().split("\n").map(Number).sort((a, b) => a - b);
    assert.deepEqual(lines, Array.from({ length: operations }, (_, i) => i).filter((i) => i % 5 !== 4), "each ran once");
    // Once a minute it is tried whether there is room for one more.
    assert.ok(refusals(sshd) - before <= 2, `${refusals(sshd) - before} refused`);
    for (const { status } of (await store.list("Service")).items) assert.equal(status?.restarts ?? 0, 0);
    await cli.ok("wait", "node", "narrow", "--for=condition=Ready", "--timeout=30s");
  });
});

describe("a Node behind a jump host", { timeout: 240_000, skip: why ?? false }, () => {
  let cli: TestCli;
  let gate: TestSshd;
  let inner: TestSshd;
  let homes: readonly string[];

  before(async () => {
    homes = [0, 1].map(() => mkdtempSync(join(tmpdir(), "vd-there-")));
    inner = await startSshd({ home: homes[0]! });
    gate = await startSshd({ home: homes[1]!, authorizedKeysFile: join(inner.directory, "authorized_keys") });
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
  });
  after(async () => {
    await cli?.run(["delete", "workspaces,services", "--all"]);
    await cli?.dispose();
    await Promise.all([inner?.stop(), gate?.stop()]);
    for (const home of homes ?? []) rmSync(home, { recursive: true, force: true });
  });

  const service = (name: string) => cli.json<Service>("service", name);
  const text = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();
  const ready = (object: Node | Workspace | Service) => object.status?.conditions?.find(({ type }) => type === "Ready");

  it("runs Workspaces, and has them as they were when the jump host was away", async () => {
    await cli.ok("apply", "-f", writeManifests(cli.home, "inner.yaml", [
      sshNode("inner", inner, { jump: gate }),
      { apiVersion: api, kind: "Workspace", metadata: { name: "dev" }, spec: { provider: "host", nodeName: "inner" } },
      { apiVersion: api, kind: "Service", metadata: { name: "db" }, spec: { workspace: "dev", command: ["sleep", "100000"] } },
      { apiVersion: api, kind: "Service", metadata: { name: "web" }, spec: { workspace: "dev", command: ["sh", "-c", httpd("web").replaceAll("httpd -f", "busybox httpd -f")], port: await freePort(), dependsOn: [{ name: "db" }], healthCheck: { http: { path: "/" } } } },
    ]), "--wait", "--timeout", "60s");
    const seen = async () => Promise.all(["db", "web"].map(async (name) => (({ pid, runNumber, url, restarts }) => ({ pid, runNumber, url, restarts }))((await service(name)).status!)));
    const before = await seen();
    assert.match(await text(before[1]!.url!), /web answers/);
    assert.equal(await cli.ok("exec", "dev", "--", "sh", "-c", "echo $HOME"), `${homes[0]}\n`);
    assert.match(gate.log(), /Accepted publickey/);

    await gate.kill();
    await eventually(async () => {
      const node = await cli.json<Node>("node", "inner");
      assert.equal(ready(node)?.status, "Unknown");
      for (const each of [await cli.json<Workspace>("workspace", "dev"), await service("db"), await service("web")]) assert.deepEqual([ready(each)?.status, ready(each)?.reason], ["Unknown", "NodeUnknown"]);
    }, 60_000);
    assert.match((await cli.run(["exec", "dev", "--", "true"])).stderr, /Node "inner" cannot be asked/);
    await gate.start();
    await cli.ok("wait", "node", "inner", "--for=condition=Ready", "--timeout=60s");
    await cli.ok("wait", "services,workspaces", "--all", "--for=condition=Ready", "--timeout=60s");
    assert.deepEqual(await seen(), before);
    assert.match(await text(before[1]!.url!), /web answers/);
    assert.equal(await cli.ok("get", "orphans"), "");
  });
});

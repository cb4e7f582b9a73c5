// Test run: about 35 s.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Event } from "../../src/api/event.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { isListenedOn } from "../../src/transports/ssh/ssh-ports.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { addNetwork, type TestNetwork } from "../harness/network.ts";
import { freePort } from "../harness/ports.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { startTcpProxy, type TcpProxy } from "../harness/tcp-proxy.ts";
import { conditionOf, httpd, writeManifests } from "./stack.ts";

const apiVersion = "vendetta.dev/v1alpha1";

/** A machine with a loopback interface of its own, and the way there. */
class Machine {
  readonly network: TestNetwork = addNetwork();
  readonly home = mkdtempSync(join(tmpdir(), "vd-far-"));
  sshd!: TestSshd;
  proxy!: TcpProxy;
  async start(): Promise<this> {
    this.sshd = await startSshd({ home: this.home, network: this.network });
    this.proxy = await startTcpProxy(this.sshd.port, this.network.address);
    return this;
  }
  /** Whether anything listens on that port of its 127.0.0.1. */
  listensOn(port: number): boolean {
    return isListenedOn(this.network.run("cat", "/proc/net/tcp", "/proc/net/tcp6"), port);
  }
  async stop(): Promise<void> {
    await this.proxy?.close();
    await this.sshd?.stop();
    this.network.remove();
    rmSync(this.home, { recursive: true, force: true });
  }
}

describe("services on other machines reach services elsewhere", { timeout: 200_000, skip: sshdUnavailable() }, () => {
  let cli: TestCli;
  let one: Machine;
  let two: Machine;
  let self: TestSshd;
  let selfHome: string;
  let local: string;

  before(async () => {
    [one, two] = [new Machine(), new Machine()];
    await Promise.all([one.start(), two.start()]);
    selfHome = mkdtempSync(join(tmpdir(), "vd-self-"));
    self = await startSshd({ home: selfHome });
    cli = createTestCli();
    local = (await cli.json<{ items: Node[] }>("nodes")).items[0]!.metadata.name;
    await apply(sshNode("one", one.sshd, { port: one.proxy.port }), sshNode("two", two.sshd, { port: two.proxy.port }), sshNode("self", self));
  });
  after(async () => {
    const left = ["caller", "third", "near", "far", "own"];
    await cli?.run(["delete", ...left.map((name) => `service/${name}`), ...["here", "there", "calling", "itself"].map((name) => `workspace/${name}`), "--ignore-not-found"]);
    await cli?.dispose();
    await Promise.all([one?.stop(), two?.stop(), self?.stop()]);
    if (selfHome !== undefined) rmSync(selfHome, { recursive: true, force: true });
  });

  const apply = (...manifests: readonly object[]) => cli.ok("apply", "-f", writeManifests(cli.home, "some.yaml", manifests), "--wait", "--timeout", "60s");
  const workspace = (name: string, nodeName: string) => ({ apiVersion, kind: "Workspace", metadata: { name }, spec: { provider: "host", nodeName, env: { STOPS: "/dev/null" } } });
  const service = (name: string, spec: object) => ({ apiVersion, kind: "Service", metadata: { name }, spec });
  const server = (name: string, where: string, port: number) => service(name, { workspace: where, command: ["sh", "-c", httpd(name).replaceAll("httpd -f", "busybox httpd -f")], port, healthCheck: { http: { path: "/" } } });
  const get = (name: string) => cli.json<Service>("service", name);
  const nodePort = async (name: string) => (await get(name)).status!.endpoints![0]!.nodePort;
  /** What the first thing it does tells: that both URLs were true before it was started. */
  const asks = 'for (const url of [process.env.VENDETTA_SERVICE_NEAR_URL, process.env.VENDETTA_SERVICE_FAR_URL]) console.log(`${url}: ${(await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text()).trim()}`);';
  const asking = [process.execPath, "--input-type=module", "-e", asks];
  const asksAtOnce = [...asking.slice(0, -1), `${asks} setInterval(() => {}, 1e6);`];
  const ask = (caller: string) => cli.ok("exec", `service/${caller}`, "--", ...asking);
  const both = async () => `http://127.0.0.1:${await nodePort("near")}: near answers\nhttp://127.0.0.1:${await nodePort("far")}: far answers\n`;

  it("by the URLs they are told, from the first moment on", async () => {
    await apply(
      workspace("here", local), server("near", "here", await freePort()),
      workspace("there", "two"), server("far", "there", 8080),
      workspace("calling", "one"), service("caller", { workspace: "calling", command: asksAtOnce, dependsOn: [{ name: "near" }, { name: "far" }] }),
    );
    await eventually(async () => assert.equal(await cli.ok("logs", "caller"), await both()), 10_000);
    assert.equal((await get("caller")).status?.restarts, 0);
    assert.match(conditionOf(await get("caller"), "DependenciesReady").message, /^all are met$/);
    assert.deepEqual([one.listensOn(await nodePort("near")), two.listensOn(await nodePort("near"))], [true, false]);
  });

  it("again after a cut, by the same URLs and with the same process", async () => {
    const before = (await get("caller")).status!;
    for (const machine of [one, two]) {
      machine.proxy.cut();
      await eventually(async () => assert.equal(await ask("caller"), await both()), 30_000);
    }
    await one.sshd.kill();
    await eventually(async () => assert.equal(conditionOf(await get("caller"), "Ready").reason, "NodeUnknown"), 30_000);
    await one.sshd.start();
    await eventually(async () => assert.equal(await ask("caller"), await both()), 60_000);
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=60s");
    const now = (await get("caller")).status!;
    assert.deepEqual([now.pid, now.restarts, now.runNumber], [before.pid, before.restarts, before.runNumber]);
  });

  it("again after a restart of the server, with nothing started anew", async () => {
    const before = (await get("caller")).status!;
    const port = await nodePort("near");
    await cli.ok("server", "stop");
    await eventually(() => assert.equal(one.listensOn(port), false), 5000, 20);
    await eventually(async () => assert.equal(await ask("caller"), await both()), 30_000);
    const now = (await get("caller")).status!;
    assert.deepEqual([now.pid, now.restarts, now.runNumber], [before.pid, before.restarts, before.runNumber]);
  });

  it("a Node that is the server's own machine has the node ports already", async () => {
    await apply(workspace("itself", "self"), service("own", { workspace: "itself", command: asksAtOnce, dependsOn: [{ name: "near" }, { name: "far" }] }));
    await eventually(async () => assert.equal(await cli.ok("logs", "own"), await both()), 10_000);
  });

  it("a port that is taken there is told, and waited for", async () => {
    await cli.ok("delete", "service", "caller");
    const port = await nodePort("near");
    await eventually(() => assert.equal(one.listensOn(port), false), 10_000);
    const thief: ChildProcess = spawn(one.network.enter[0]!, [...one.network.enter.slice(1), process.execPath, "-e", `require("net").createServer().listen(${port}, "127.0.0.1")`], { stdio: "ignore" });
    try {
      await eventually(() => assert.equal(one.listensOn(port), true), 5000, 20);
      await cli.ok("apply", "-f", writeManifests(cli.home, "third.yaml", [service("third", { workspace: "calling", command: asksAtOnce, dependsOn: [{ name: "near" }, { name: "far" }] })]));
      await eventually(async () => {
        const ready = conditionOf(await get("third"), "Ready");
        assert.equal(ready.reason, "DependenciesNotReady");
        assert.match(ready.message, new RegExp(`waiting for a way to "near": cannot listen on 127\\.0\\.0\\.1:${port} of .*another process listens there \\('ss .*${port}'`));
      }, 20_000);
      assert.equal((await get("third")).status?.pid, undefined);
      assert.equal(conditionOf(await get("third"), "DependenciesReady").status, "False");
      const events = (await cli.json<{ items: Event[] }>("events")).items;
      assert.ok(events.some(({ reason, involvedObject, message }) => reason === "NoWay" && involvedObject.name === "third" && message?.includes(`node port ${port} does not lead on from Node "one"`) === true));
    } finally {
      const ended = new Promise((resolve) => thief.once("exit", resolve));
      thief.kill("SIGKILL");
      await ended;
    }
    await cli.ok("wait", "service", "third", "--for=condition=Ready", "--timeout=30s");
    await eventually(async () => assert.equal(await cli.ok("logs", "third"), await both()), 10_000);
  });

  it("what nobody needs any more is given up", async () => {
    const ports = await Promise.all(["near", "far"].map(nodePort));
    assert.deepEqual(ports.map((port) => one.listensOn(port)), [true, true]);
    await apply(service("third", { workspace: "calling", command: ["sleep", "1000"], dependsOn: [{ name: "far" }] }));
    await eventually(() => assert.deepEqual(ports.map((port) => one.listensOn(port)), [false, true]), 10_000);
    const stopped: Workspace = await cli.ok("workspace", "down", "calling").then(() => cli.json<Workspace>("workspace", "calling"));
    assert.equal(stopped.status?.phase, "Stopped");
    await eventually(() => assert.deepEqual(ports.map((port) => one.listensOn(port)), [false, false]), 10_000);
  });
});

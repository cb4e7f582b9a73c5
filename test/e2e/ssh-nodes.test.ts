// Test run: about 56 s.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Event } from "../../src/api/event.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerApi } from "../harness/docker-api.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { createKubectl, kubectlUnavailable } from "../harness/kubectl.ts";
import { freePort } from "../harness/ports.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { startTcpProxy, type TcpProxy } from "../harness/tcp-proxy.ts";
import { conditionOf, httpd, stackManifests, writeManifests } from "./stack.ts";

const why = sshdUnavailable() ?? dockerUnavailable();
const names = ["db", "api", "web", "worker"];

/** The manifests of stack.ts with their Workspace on that Node. */
function onNode(nodeName: string, manifests: readonly object[]): object[] {
  return manifests.map((each) => ((each as { kind: string }).kind === "Workspace" ? { ...each, spec: { ...(each as { spec: object }).spec, nodeName } } : each));
}

describe("Nodes over SSH", { timeout: 400_000, skip: why }, () => {
  let cli: TestCli;
  let here: TestDockerd;
  let there: TestDockerd;
  let sshd: TestSshd;
  let proxy: TcpProxy;
  let home: string;
  let local: string;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), "vd-there-"));
    // One after the other: engines that start at the same time get into each other's rules of iptables.
    here = await startDockerd();
    there = await startDockerd();
    sshd = await startSshd({ home });
    proxy = await startTcpProxy(sshd.port);
    await Promise.all([here, there].map((each) => each.importBusybox("busybox:test")));
    cli = createTestCli({ DOCKER_HOST: `unix://${here.socketPath}` });
    local = (await cli.json<{ items: Node[] }>("nodes")).items[0]!.metadata.name;
  });
  after(async () => {
    await cli?.dispose();
    await proxy?.close();
    await Promise.all([here?.stop(), there?.stop(), sshd?.stop()]);
    rmSync(home, { recursive: true, force: true });
  });

  const node = (name: string) => cli.json<Node>("node", name);
  const condition = (object: Node | Workspace, type: string) => object.status?.conditions?.find((each) => each.type === type);
  const workspace = (name: string) => cli.json<Workspace>("workspace", name);
  const services = async (stack: string) => Promise.all(names.map((name) => cli.json<Service>("service", `${stack}-${name}`)));
  const running = async (stack: string) => (await services(stack)).map(({ status }) => ({ pid: status?.pid, run: status?.runNumber, url: status?.url, restarts: status?.restarts }));
  const containers = (engine: TestDockerd) => dockerApi(engine.socketPath).containers({ label: ["vendetta.dev/cluster"] });
  const apply = (...manifests: readonly object[]) => cli.ok("apply", "-f", writeManifests(cli.home, "some.yaml", manifests), "--wait", "--timeout", "90s");
  const text = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();

  it("the stack on another machine beside one on this one, in one apply", async () => {
    await apply(sshNode("far", sshd, { port: proxy.port, socketPath: there.socketPath }), ...onNode("far", stackManifests()), ...onNode(local, stackManifests({ workspace: "near" })));
    assert.deepEqual([(await containers(here)).length, (await containers(there)).length], [1, 1]);
    for (const [stack, via] of [["stack", "Forward"], ["near", "Engine"]] as const) {
      const ports = (await workspace(stack)).status?.ports ?? [];
      assert.deepEqual(ports.map((each) => each.via), [via, via, via]);
      assert.match(await text((await services(stack))[2]!.status!.url!), /web answers/);
    }
    const [container] = await containers(there);
    assert.deepEqual(container!.Ports, [], "nothing is published there");
    assert.match(await cli.ok("get", "nodes", "-o", "wide"), new RegExp(`far .*${sshd.user}@127\\.0\\.0\\.1:${proxy.port} +\\d+ `));
    const { status } = await node("far");
    assert.equal(condition(await node("far"), "HostKeyTrusted")?.status, "True");
    assert.equal(condition(await node("far"), "ClockInSync")?.status, "True");
    assert.ok(status?.ssh?.connectedSince !== undefined && status.ssh.latencyMs !== undefined);
  });

  it("exec and logs work on it, and so does the engine watch", async () => {
    assert.equal(await cli.ok("exec", "stack", "--", "sh", "-c", "hostname"), "stack\n");
    assert.match(await cli.ok("logs", "stack-web"), /started/);
    const before = await running("stack");
    await dockerApi(there.socketPath).remove((await workspace("stack")).status!.instanceId!);
    await eventually(async () => {
      assert.equal((await workspace("stack")).status?.restarts, 1);
      const now = await running("stack");
      assert.deepEqual(now.map(({ url }) => url), before.map(({ url }) => url));
      assert.match(await text(now[2]!.url!), /web answers/);
    }, 60_000);
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=60s");
  });

  it("kubectl's exec, logs and port-forward work on it", { skip: kubectlUnavailable() ?? false }, async () => {
    const kubectl = await createKubectl(cli);
    try {
      assert.equal(await kubectl.ok("exec", "stack", "-c", "workspace", "--", "hostname"), "stack\n");
      assert.match(await kubectl.ok("logs", "stack", "-c", "stack-web"), /started/);
      const { ports } = await kubectl.forward("stack", [8003]);
      assert.match(await text(`http://127.0.0.1:${ports[0]}`), /web answers/);
    } finally {
      await kubectl.dispose();
    }
  });

  it("a Service told to depend on one on another Node: what it cannot be told is said", async () => {
    const manifest = { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "across" }, spec: { workspace: "near", command: ["sh", "-c", "env; exec sleep 1000"], dependsOn: [{ name: "stack-web" }, { name: "near-web" }] } };
    await apply(manifest);
    assert.match(conditionOf(await cli.json<Service>("service", "across"), "DependenciesReady").message, /nothing leads to stack-web \(another Node/);
    const environment = await cli.ok("logs", "across");
    assert.match(environment, /VENDETTA_SERVICE_NEAR_WEB_URL=/);
    assert.doesNotMatch(environment, /VENDETTA_SERVICE_STACK_WEB_URL=/);
    await cli.ok("delete", "service", "across");
  });

  it("silent for a while: nothing changes, and the other Node does not notice", async () => {
    const before = await running("stack");
    const version = (await workspace("stack")).metadata.resourceVersion;
    proxy.stall();
    try {
      // Long enough for the Node's probe, the listing and the health checks to come to nothing.
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      await cli.ok("restart", "near-web", "--wait", "--timeout", "30s");
      assert.equal(condition(await node("far"), "Ready")?.status, "True");
      assert.equal((await workspace("stack")).metadata.resourceVersion, version);
    } finally {
      proxy.resume();
    }
    await eventually(async () => assert.match(await text(before[2]!.url!), /web answers/), 20_000);
    await new Promise((resolve) => setTimeout(resolve, 6000));
    assert.deepEqual(await running("stack"), before);
  });

  it("sshd killed and back: Unknown meanwhile, then the same container and pids, nothing doubled", async () => {
    const before = await running("stack");
    const [container] = await containers(there);
    await sshd.kill();
    await eventually(async () => {
      const far = await node("far");
      assert.equal(condition(far, "Ready")?.status, "Unknown");
      // The proxy takes the connection and hangs up.
      assert.match(condition(far, "Ready")!.reason, /^(Unreachable|HandshakeFailed)$/);
      const ready = condition(await workspace("stack"), "Ready");
      assert.deepEqual([(await workspace("stack")).status?.phase, ready?.status, ready?.reason], ["Unknown", "Unknown", "NodeUnknown"]);
      for (const service of await services("stack")) assert.deepEqual([conditionOf(service, "Ready").status, conditionOf(service, "Ready").reason], ["Unknown", "NodeUnknown"]);
    }, 60_000);
    assert.match((await cli.run(["exec", "stack", "--", "true"])).stderr, /Node "far" cannot be asked/);
    assert.match(await text((await services("near"))[2]!.status!.url!), /web answers/);
    assert.equal((await containers(here)).length, 1, "nothing is made elsewhere");
    await sshd.start();
    await cli.ok("wait", "node", "far", "--for=condition=Ready", "--timeout=90s");
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=90s");
    assert.deepEqual(await running("stack"), before);
    assert.deepEqual((await containers(there)).map(({ Id, Created }) => [Id, Created]), [[container!.Id, container!.Created]]);
    assert.match(await text(before[2]!.url!), /web answers/);
    assert.ok((await node("far")).status!.ssh!.reconnects! >= 1);
  });

  it("another host key: refused before anything is sent, a condition of its own, and nothing else happens", async () => {
    const before = await running("stack");
    const logged = sshd.log().length;
    const pinned = sshd.hostKey;
    await sshd.kill();
    sshd.changeHostKey();
    await sshd.start();
    await eventually(async () => {
      const far = await node("far");
      assert.deepEqual([condition(far, "Ready")?.status, condition(far, "Ready")?.reason], ["Unknown", "HostKeyChanged"]);
      assert.deepEqual([condition(far, "HostKeyTrusted")?.status, condition(far, "HostKeyTrusted")?.reason], ["False", "HostKeyChanged"]);
      assert.match(condition(far, "Ready")!.message, /has changed.*SHA256:.*SHA256:/);
    }, 60_000);
    assert.match(await cli.ok("node", "status", "far"), /vendetta node trust far/);
    assert.doesNotMatch(sshd.log().slice(logged), /Accepted|publickey/);
    assert.equal((await containers(there)).length, 1);
    // Whoever pins the new one has it back, as it was.
    assert.notEqual(sshd.hostKey, pinned);
    await cli.ok("apply", "-f", writeManifests(cli.home, "far.yaml", [sshNode("far", sshd, { port: proxy.port, socketPath: there.socketPath })]));
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=90s");
    assert.deepEqual(await running("stack"), before);
    assert.equal(condition(await node("far"), "HostKeyTrusted")?.status, "True");
  });

  it("plain processes on it: its own directory there, their ports here, and the same pids after a cut", async () => {
    const manifests = [
      { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "plain" }, spec: { provider: "host", nodeName: "far", env: { STOPS: "/dev/null" } } },
      { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "plain-web" }, spec: { workspace: "plain", command: ["sh", "-c", httpd("plain").replaceAll("httpd -f", "busybox httpd -f")], port: await freePort(), healthCheck: { http: { path: "/" } } } },
    ];
    await apply(...manifests);
    const service = () => cli.json<Service>("service", "plain-web");
    const { status, spec } = await service();
    assert.notEqual(status!.url, `http://127.0.0.1:${spec.port}`);
    assert.match(await text(status!.url!), /plain answers/);
    assert.match(await cli.ok("exec", "plain", "--", "pwd"), new RegExp(`^${home}/\\.local/share/vendetta/[^/]+/instances/work/vendetta-`));
    proxy.cut();
    await eventually(async () => assert.match(await text(status!.url!), /plain answers/), 30_000);
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=60s");
    assert.deepEqual([(await service()).status?.pid, (await service()).status?.restarts], [status?.pid, status?.restarts]);
    await cli.ok("delete", "-f", writeManifests(cli.home, "plain.yaml", manifests));
    assert.ok(!existsSync(`/proc/${status!.pid}`));
  });

  it("deleted while it cannot be reached: waits, says so, and finishes when it is back", async () => {
    await sshd.kill();
    await eventually(async () => assert.equal(condition(await node("far"), "Ready")?.status, "Unknown"), 60_000);
    await cli.ok("delete", "workspace", "stack", "--wait=false");
    await cli.ok("delete", ...names.map((name) => `service/stack-${name}`), "--wait=false");
    await eventually(async () => assert.match(condition(await workspace("stack"), "Ready")?.message ?? "", /its removal waits/), 20_000);
    assert.equal((await containers(there)).length, 1);
    await sshd.start();
    await eventually(async () => {
      assert.deepEqual((await cli.json<{ items: Workspace[] }>("workspaces")).items.map(({ metadata }) => metadata.name), ["near"]);
      assert.deepEqual(await containers(there), []);
    }, 90_000);
    await eventually(async () => assert.equal((await cli.json<{ items: Service[] }>("services")).items.length, 4), 20_000);
    const events = (await cli.json<{ items: Event[] }>("events")).items.map(({ reason }) => reason);
    assert.ok(events.includes("NodeUnknown") && events.includes("NodeReady"));
  });
});

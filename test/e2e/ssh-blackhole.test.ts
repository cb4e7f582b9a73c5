// Test run: about 400 s.
// Test run: beside all others, since it does little but wait for a network that is cut.

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
import { addNetwork, networkUnavailable, type TestNetwork } from "../harness/network.ts";
import type { RunningProgram } from "../harness/program.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { httpd, stackManifests, writeManifests } from "./stack.ts";

const why = networkUnavailable() ?? sshdUnavailable() ?? dockerUnavailable();
const api = "vendetta.dev/v1alpha1";
const briefMs = 39_000;
const longMs = 300_000;

/** Another machine: a network, an engine and an sshd of its own. */
interface Far {
  readonly name: string;
  readonly network: TestNetwork;
  readonly engine: TestDockerd;
  readonly sshd: TestSshd;
  readonly home: string;
}

/** A stack in a container, one service of plain processes, and a Workspace to be deleted while nobody answers. */
function manifestsOf({ name, sshd, engine }: Far): object[] {
  const workspace = (each: string, spec: object) => ({ apiVersion: api, kind: "Workspace", metadata: { name: `${name}-${each}` }, spec: { nodeName: name, ...spec } });
  const service = (each: string, spec: object) => ({ apiVersion: api, kind: "Service", metadata: { name: `${name}-${each}` }, spec });
  const [stack, ...services] = stackManifests({ workspace: name }) as { readonly spec: object }[];
  return [
    sshNode(name, sshd, { socketPath: engine.socketPath }),
    { ...stack, spec: { ...stack!.spec, nodeName: name } },
    ...services,
    workspace("plain", { provider: "host" }),
    service("plain", { workspace: `${name}-plain`, command: ["sh", "-c", httpd("plain").replaceAll("httpd -f", "busybox httpd -f")], port: 8100, env: { STOPS: "/dev/null" }, healthCheck: { http: { path: "/" } } }),
    workspace("doomed", { provider: "docker", image: "busybox:test" }),
    workspace("doomed-plain", { provider: "host" }),
    service("doomed-plain", { workspace: `${name}-doomed-plain`, command: ["sleep", "100000"] }),
  ];
}

describe("Nodes over SSH whose packets are swallowed", { timeout: 540_000, skip: why ?? false }, () => {
  let cli: TestCli;
  let here: TestDockerd;
  let brief: Far;
  let long: Far;
  let begunMs: number;
  let sessions: Readonly<Record<"brief" | "long", RunningProgram>>;
  let follower: RunningProgram;
  let before39: Readonly<Record<"brief" | "long", Awaited<ReturnType<typeof world>>>>;

  const prepare = async (name: string): Promise<Far> => {
    const network = addNetwork();
    const engine = await startDockerd(network);
    await engine.importBusybox("busybox:test");
    const home = mkdtempSync(join(tmpdir(), "vd-there-"));
    return { name, network, engine, home, sshd: await startSshd({ home, network }) };
  };
  const forget = async (far: Far | undefined) => {
    if (far === undefined) return;
    await Promise.all([far.engine.stop(), far.sshd.stop()]);
    far.network.remove();
    rmSync(far.home, { recursive: true, force: true });
  };

  before(async () => {
    // One after the other: engines that start at the same time get into each other's rules of iptables.
    here = await startDockerd();
    await here.importBusybox("busybox:test");
    brief = await prepare("brief");
    long = await prepare("long");
    cli = createTestCli({ DOCKER_HOST: `unix://${here.socketPath}` });
    const local = (await cli.json<{ items: Node[] }>("nodes")).items[0]!.metadata.name;
    const near = stackManifests({ workspace: "near" }).map((each) => ((each as { kind: string }).kind === "Workspace" ? { ...each, spec: { ...(each as { spec: object }).spec, nodeName: local } } : each));
    await cli.ok("apply", "-f", writeManifests(cli.home, "all.yaml", [...manifestsOf(brief), ...manifestsOf(long), ...near]), "--wait", "--timeout", "110s");
  });
  after(async () => {
    for (const far of [brief, long]) far?.network.restore();
    await Promise.all([sessions?.brief, sessions?.long, follower].map((each) => each?.end("SIGKILL")));
    if (cli !== undefined) {
      await cli.run(["delete", "workspaces,services", "--all"]);
      await cli.dispose();
    }
    for (const far of [brief, long]) await forget(far);
    await here?.stop();
  });

  const node = (name: string) => cli.json<Node>("node", name);
  const ready = (object: Node | Workspace | Service) => object.status?.conditions?.find(({ type }) => type === "Ready");
  const all = async <T extends { readonly metadata: { readonly name: string } }>(kind: string, of: string) => (await cli.json<{ items: T[] }>(kind)).items.filter(({ metadata }) => metadata.name.split("-")[0] === of);
  const text = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();
  const sleepUntil = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - performance.now())));
  const containers = async ({ socketPath }: TestDockerd) => (await dockerApi(socketPath).containers({ label: ["vendetta.dev/cluster"] })).map(({ Id, Created, State }) => ({ Id, Created, State }));

  /** What must be the same after an outage, in the store's words and in the machine's. */
  const world = async (far: Far) => ({
    workspaces: (await all<Workspace>("workspaces", far.name)).map(({ metadata, status }) => ({ name: metadata.name, instance: status?.instanceId, start: status?.startId, ports: status?.ports, restarts: status?.restarts })),
    services: (await all<Service>("services", far.name)).map(({ metadata, status }) => ({ name: metadata.name, pid: status?.pid, run: status?.runNumber, url: status?.url, restarts: status?.restarts })),
    containers: (await containers(far.engine)).sort((a, b) => a.Id.localeCompare(b.Id)),
  });
  /** Versions of all that is told of what is on a Node: they stay when nothing is said. */
  const versions = async (of: string) => Object.fromEntries([...(await all<Workspace>("workspaces", of)), ...(await all<Service>("services", of))].map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
  const eventsOf = async (of: string) => (await cli.json<{ items: Event[] }>("events")).items.filter(({ involvedObject }) => involvedObject.name?.split("-")[0] === of).map(({ involvedObject, reason, count }) => `${involvedObject.name} ${reason} ${count}`);
  const work = async () => {
    await cli.ok("restart", "near-web", "--wait", "--timeout", "30s");
    assert.match(await text((await cli.json<Service>("service", "near-web")).status!.url!), /web answers/);
  };

  it("39 s: nothing is said, another Node does not notice, and it is the same connection afterwards", async () => {
    await eventually(async () => assert.deepEqual((await all<Service>("services", "long")).map((each) => ready(each)?.status), Array(6).fill("True")), 30_000);
    before39 = { brief: await world(brief), long: await world(long) };
    const [connections, ssh, said, told] = [brief.sshd.connections(), (await node("brief")).status!.ssh!, await eventsOf("brief"), await versions("brief")];
    const session = (name: string) => cli.start(["exec", name, "--", "sh", "-c", `echo begun; sleep 45; echo lived`], { stdin: "" });
    sessions = { brief: session("brief"), long: session("long") };
    follower = cli.start(["logs", "brief-worker", "-f"], { stdin: "" });
    await eventually(() => {
      for (const each of Object.values(sessions)) assert.equal(each.said(), "begun\n");
      assert.match(follower.said(), /working/);
    }, 20_000);

    begunMs = performance.now();
    for (const far of [brief, long]) far.network.blackhole();
    await sleepUntil(begunMs + 5000);
    await work();
    await sleepUntil(begunMs + briefMs - 3000);
    assert.deepEqual([await versions("brief"), await eventsOf("brief")], [told, said]);
    for (const name of ["brief", "long"]) assert.equal(ready(await node(name))?.status, "True");
    assert.match((await cli.run(["cluster", "status"])).stdout, /brief/);
    await sleepUntil(begunMs + briefMs);
    assert.ok(brief.network.dropped() > 0, "the outage was one");
    brief.network.restore();

    assert.deepEqual(await sessions.brief.ended, { code: 0, stdout: "begun\nlived\n", stderr: "" });
    await eventually(async () => {
      for (const { url } of before39.brief.services) if (url !== undefined) assert.match(await text(url), /answers/);
    }, 30_000);
    const linesThen = follower.said().length;
    await eventually(() => assert.ok(follower.said().length > linesThen), 20_000);
    await follower.end("SIGINT");
    // The first one: others come and go with the number of streams.
    assert.ok(brief.sshd.connections().includes(Math.min(...connections)));
    const { connectedSince, reconnects, lastError } = (await node("brief")).status!.ssh!;
    assert.deepEqual([connectedSince, reconnects, lastError], [ssh.connectedSince, ssh.reconnects, ssh.lastError]);
    // Long enough for every check and listing to have been made again.
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    assert.deepEqual(await world(brief), before39.brief);
    assert.deepEqual(await eventsOf("brief"), said);
  });

  it("5 minutes: Unknown, and nothing is made elsewhere; what is deleted waits; other Nodes go on", async () => {
    await eventually(async () => assert.equal(ready(await node("long"))?.status, "Unknown"), longMs - (performance.now() - begunMs) - 60_000, 1000);
    await eventually(async () => {
      for (const each of await all<Workspace>("workspaces", "long")) assert.deepEqual([each.metadata.name, each.status?.phase, ready(each)?.status, ready(each)?.reason], [each.metadata.name, "Unknown", "Unknown", "NodeUnknown"]);
      for (const each of await all<Service>("services", "long")) assert.deepEqual([each.metadata.name, ready(each)?.status, ready(each)?.reason], [each.metadata.name, "Unknown", "NodeUnknown"]);
    }, 60_000);
    // Whoever worked there is told, rather than left waiting.
    const { code, stderr } = await sessions.long.ended;
    assert.notEqual(code, 0);
    assert.match(stderr, /connection|broke|lost/i);
    assert.match((await cli.run(["cluster", "status"])).stdout, /long.*(Unknown|lost the connection|Unreachable)/s);

    await cli.ok("delete", "workspace", "long-doomed", "long-doomed-plain", "--wait=false");
    await cli.ok("delete", "service", "long-doomed-plain", "--wait=false");
    await work();
    await cli.ok("apply", "-f", writeManifests(cli.home, "more.yaml", [
      { apiVersion: api, kind: "Workspace", metadata: { name: "brief-more" }, spec: { provider: "docker", image: "busybox:test", nodeName: "brief" } },
      { apiVersion: api, kind: "Service", metadata: { name: "brief-more" }, spec: { workspace: "brief-more", command: ["sleep", "100000"] } },
    ]), "--wait", "--timeout", "30s");
    await eventually(async () => assert.match(ready(await cli.json<Workspace>("workspace", "long-doomed"))?.message ?? "", /its removal waits/), 20_000);
    await sleepUntil(begunMs + longMs - 5000);
    assert.deepEqual((await containers(long.engine)).length, before39.long.containers.length, "it goes on by itself there");
    assert.equal((await containers(here)).length, 1);
    assert.equal((await all<Workspace>("workspaces", "long")).length, 4);
  });

  it("and back: the same containers, processes and ports, and the deletes finish", async () => {
    const doomed = (name: string) => name.startsWith("long-doomed");
    const pidOfDoomed = before39.long.services.find(({ name }) => doomed(name))!.pid;
    assert.ok(existsSync(`/proc/${pidOfDoomed}`));
    await sleepUntil(begunMs + longMs);
    assert.ok(long.network.dropped() > 0, "the outage was one");
    long.network.restore();
    await cli.ok("wait", "node", "long", "--for=condition=Ready", "--timeout=60s");
    await eventually(async () => assert.deepEqual([...(await all<Workspace>("workspaces", "long")), ...(await all<Service>("services", "long"))].filter(({ metadata }) => doomed(metadata.name)), []), 60_000);
    await cli.ok("wait", "services,workspaces", "--all", "--for=condition=Ready", "--timeout=60s");
    const now = await world(long);
    const kept = <T extends { readonly name: string }>(list: readonly T[]) => list.filter(({ name }) => !doomed(name));
    assert.deepEqual([now.workspaces, now.services], [kept(before39.long.workspaces), kept(before39.long.services)]);
    const lost = before39.long.containers.filter(({ Id }) => !now.containers.some((each) => each.Id === Id));
    assert.deepEqual([now.containers.length, lost.length], [1, 1]);
    assert.ok(!existsSync(`/proc/${pidOfDoomed}`));
    await eventually(async () => {
      for (const { url } of now.services) if (url !== undefined) assert.match(await text(url), /answers/);
    }, 20_000);
    assert.ok((await node("long")).status!.ssh!.reconnects! >= 1);
    assert.equal(await cli.ok("get", "orphans"), "");
    const events = await eventsOf("long");
    for (const reason of ["NodeUnknown", "NodeReady"]) assert.ok(events.some((each) => each.startsWith(`long ${reason} `)), events.join("\n"));
    assert.ok(!events.some((each) => /InstanceLost|InstanceEnded|Killing/.test(each)), events.join("\n"));
  });
});

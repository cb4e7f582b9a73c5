// Test run: about 60 s.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
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
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { httpd, writeManifests } from "./stack.ts";

const labels = { pool: "far" };
const api = (kind: string, name: string, spec: object) => ({ apiVersion: "vendetta.dev/v1alpha1", kind, metadata: { name }, spec });
/** Only the two far Nodes have the label: what may move goes from one to the other. */
const movable = (name: string, more: object = {}) => api("Workspace", name, { provider: "docker", image: "busybox:test", imagePullPolicy: "Never", nodeSelector: labels, terminationGracePeriodSeconds: 1, ...more });
const failover = { failover: { afterSeconds: 5 }, resources: { disk: "1Mi" }, mounts: [{ path: "/data", volume: "data" }] };

describe("Workspaces that change their Node", { timeout: 400_000, skip: sshdUnavailable() ?? dockerUnavailable() }, () => {
  const names = ["one", "two"] as const;
  const homes: string[] = [];
  const engines: TestDockerd[] = [];
  const sshds: TestSshd[] = [];
  let cli: TestCli;

  before(async () => {
    // One after the other: engines that start at the same time get into each other's rules of iptables.
    for (const _ of names) {
      const engine = await startDockerd();
      engines.push(engine);
      await engine.importBusybox("busybox:test");
      homes.push(mkdtempSync(join(tmpdir(), "vd-move-")));
      sshds.push(await startSshd({ home: homes.at(-1)! }));
    }
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent" });
    await apply(...names.map((name, i) => ({ ...sshNode(name, sshds[i]!, { socketPath: engines[i]!.socketPath }), metadata: { name, labels } })));
    for (const name of names) await cli.ok("wait", "node", name, "--for=condition=Ready", "--timeout=60s");
  });
  after(async () => {
    await cli?.dispose();
    await Promise.all([...engines, ...sshds].map((each) => each.stop()));
    for (const home of homes) rmSync(home, { recursive: true, force: true });
  });

  const apply = (...manifests: readonly object[]) => cli.ok("apply", "-f", writeManifests(cli.home, "some.yaml", manifests), "--wait", "--timeout", "90s");
  const workspace = (name: string) => cli.json<Workspace>("workspace", name);
  const ready = (name: string) => cli.ok("wait", "service", name, "--for=condition=Ready", "--timeout=90s");
  const url = async (name: string) => (await cli.json<Service>("service", name)).status!.url!;
  const text = async (from: string) => (await fetch(from, { signal: AbortSignal.timeout(5000) })).text();
  const containers = async () => Promise.all(engines.map(async (engine) => (await dockerApi(engine.socketPath).containers({ label: ["vendetta.dev/cluster"] })).length));
  const indexOf = (nodeName: string | undefined) => names.findIndex((each) => each === nodeName);
  const reasons = async (name: string) => (await cli.json<{ items: Event[] }>("events")).items.filter((each) => each.involvedObject.name === name).map((each) => each.reason);

  it("its Node is lost: made anew on the other with the same port, and what was left is removed when the Node is back", async () => {
    await apply(movable("dev", failover), api("Service", "web", { workspace: "dev", command: ["sh", "-c", httpd("web")], port: 8080, healthCheck: { http: { path: "/" } } }));
    const first = await workspace("dev");
    const from = indexOf(first.status?.nodeName);
    const before = await url("web");
    assert.match(await text(before), /web answers/);
    assert.match(await cli.ok("node", "status", names[from]!), /^disk +\S+ \(\S+ free\) +1Mi$/m);

    await sshds[from]!.kill();
    await eventually(async () => {
      const { status } = await workspace("dev");
      assert.deepEqual([status?.nodeName, status?.phase], [names[1 - from], "Running"]);
    }, 90_000);
    const second = await workspace("dev");
    assert.deepEqual(second.status?.leftBehind?.map((each) => [each.nodeName, each.instanceId]), [[names[from], first.status?.instanceId]]);
    assert.deepEqual(await containers(), [1, 1]);
    await ready("web");
    assert.equal(await url("web"), before);
    assert.match(await text(before), /web answers/);

    await sshds[from]!.start();
    await eventually(async () => {
      assert.equal((await workspace("dev")).status?.leftBehind, undefined);
      assert.equal((await containers())[from], 0);
    }, 90_000);
    assert.equal((await containers())[1 - from], 1);
    assert.equal((await workspace("dev")).status?.startId, second.status?.startId, "the new one has not noticed");
    const told = await reasons("dev");
    assert.ok(told.includes("FailedOver") && told.includes("LeftBehindRemoved"), told.join(" "));
  });

  it("a drain moves what asks for failover, stops the rest, and uncordon starts it again", async () => {
    const { nodeName } = (await workspace("dev")).status!;
    const [from, to] = [indexOf(nodeName), 1 - indexOf(nodeName)];
    await apply(movable("stays"), movable("pinned", { nodeSelector: undefined, nodeName }));
    // Placed on the emptier one, "stays" may be elsewhere: whatever is on this Node is to be gone from it.
    const here = (await Promise.all(["stays", "pinned"].map(workspace))).filter((each) => each.status?.nodeName === nodeName).map((each) => each.metadata.name);
    const before = await url("web");
    const { stdout, stderr, code } = await cli.run(["node", "drain", nodeName!, "--timeout", "60s"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^node.vendetta.dev/${nodeName} cordoned\n`));
    assert.match(stdout, new RegExp(`^workspace.vendetta.dev/dev moved to ${names[to]}$`, "m"));
    for (const name of here) assert.match(stdout, new RegExp(`^workspace.vendetta.dev/${name} stopped$`, "m"));
    assert.match(stdout, new RegExp(`node.vendetta.dev/${nodeName} drained\n$`));
    assert.match(stderr, new RegExp(`starts again with 'vendetta node uncordon ${nodeName}'`));
    assert.deepEqual([(await workspace("pinned")).status?.phase, (await workspace("pinned")).spec.state], ["Stopped", "Running"]);
    await ready("web");
    assert.equal(await url("web"), before);
    assert.match(await text(before), /web answers/);
    await cli.ok("node", "uncordon", nodeName!);
    await cli.ok("wait", "workspace", "pinned", "stays", "--for=condition=Ready", "--timeout=60s");
    assert.equal(indexOf((await workspace("pinned")).status?.nodeName), from);
  });

  it("a drain with --move moves all that do not name the Node", async () => {
    const on = (await workspace("dev")).status!.nodeName!;
    const all = (await cli.json<{ items: Workspace[] }>("workspaces")).items.filter((each) => each.status?.nodeName === on);
    assert.match((await cli.run(["node", "drain", on, "--move", "--yes", "--timeout", "60s"])).stdout, /drained\n$/);
    for (const { metadata, spec } of all) {
      const { status } = await workspace(metadata.name);
      if (spec.nodeName === on) assert.deepEqual([status?.nodeName, status?.phase], [on, "Stopped"]);
      else assert.notEqual(status?.nodeName, on);
    }
    assert.equal((await cli.json<Node>("node", on)).spec.drain?.move, "Any");
    await cli.ok("node", "uncordon", on);
    await cli.ok("delete", "service/web", "workspace/dev", "workspace/stays", "workspace/pinned");
    assert.deepEqual(await containers(), [0, 0]);
  });
});

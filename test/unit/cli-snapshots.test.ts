import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Workspace, WorkspaceStatus } from "../../src/api/workspace.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { eventually } from "../harness/eventually.ts";
import { cliServer, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const ref = { namespace: "default", name: "dev" };
const time = "2026-01-01T00:00:00Z";
const first = { name: "first", createdTime: time };

let cli: CliServer;
beforeEach(async () => {
  cli = await cliServer({ showConsole: ({ name }) => (name === "dev" ? Promise.resolve("one\ntwo\nthree\n") : Promise.reject(new StatusError("BadRequest", "Cannot show it: provider host keeps none"))) });
  await cli.store.create("Workspace", workspace("dev", { snapshots: [{ name: "first" }] }) as never);
  await tell({ snapshots: [first] });
});
afterEach(() => cli.stop());

/** What the loop would say. */
async function tell(status: Partial<WorkspaceStatus>): Promise<void> {
  const dev = await cli.store.get("Workspace", ref);
  const ready = { type: "Ready", status: "True", reason: "Running", message: "runs", lastTransitionTime: time, observedGeneration: dev.metadata.generation } as const;
  await cli.store.updateStatus("Workspace", { ...dev, status: { ...dev.status, nodeName: "n1", phase: "Running", observedGeneration: dev.metadata.generation, conditions: [ready], ...status } });
}
const wished = (what: (dev: Workspace) => boolean) => eventually(async () => assert.ok(what(await cli.store.get("Workspace", ref))), 5000, 10);
async function nodeThat(snapshots: boolean): Promise<void> {
  const node = await cli.store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "n1" }, spec: { local: {} } } as never);
  await cli.store.updateStatus("Node", { ...(await cli.store.get("Node", node.metadata)), status: { providers: [{ name: "docker", usable: true, version: "20", features: { isolation: "container", limits: true, snapshots, console: true, publish: "AtCreation" } }] } });
}

describe("workspace snapshot", () => {
  it("wishes one beside those there are, and waits until it is kept", async () => {
    await nodeThat(true);
    const running = cli.run("workspace snapshot dev second");
    await wished(({ spec }) => spec.snapshots.length === 2);
    await tell({ snapshots: [first, { name: "second", createdTime: time }] });
    assert.deepEqual([(await running).code, (await running).stdout], [0, "workspace.vendetta.dev/dev snapshot second taken\n"]);
    assert.match((await cli.run("workspace snapshot dev second")).stdout, /second is kept already/);
  });
  it("makes a name of the time when it is told none", async () => {
    await nodeThat(true);
    const running = cli.run("workspace snapshot dev");
    await wished(({ spec }) => spec.snapshots.length === 2);
    const { name } = (await cli.store.get("Workspace", ref)).spec.snapshots[1]!;
    assert.match(name, /^\d{4}-\d\d-\d\d-\d{6}$/);
    await tell({ snapshots: [first, { name, createdTime: time }] });
    assert.equal((await running).code, 0);
  });
  it("is refused before anything is wished where the engine keeps none", async () => {
    await nodeThat(false);
    const { code, stderr } = await cli.run("workspace snapshot dev second");
    assert.equal(code, 1);
    assert.match(stderr, /can have no snapshots: provider docker keeps none/);
    assert.equal((await cli.store.get("Workspace", ref)).spec.snapshots.length, 1);
  });
  it("ends with what the engine says when that fails", async () => {
    await nodeThat(true);
    const running = cli.run("workspace snapshot dev second");
    await wished(({ spec }) => spec.snapshots.length === 2);
    await tell({ snapshots: [first, { name: "second", lastTryTime: time, message: "no space left" }] });
    const { code, stderr } = await running;
    assert.equal(code, 1);
    assert.match(stderr, /no space left/);
  });
  it("--delete takes that one away, and the wish to go back to it", async () => {
    await cli.store.patch("Workspace", ref, { type: "merge", patch: { spec: { snapshots: [{ name: "other" }, { name: "first" }], restore: { snapshot: "first", request: 3 } } } });
    const running = cli.run("workspace snapshot dev first --delete");
    await wished(({ spec }) => spec.snapshots.length === 1);
    await tell({ snapshots: [{ name: "other", createdTime: time }] });
    assert.match((await running).stdout, /snapshot first removed/);
    const { spec } = await cli.store.get("Workspace", ref);
    assert.deepEqual([spec.snapshots, spec.restore], [[{ name: "other" }], undefined]);
    assert.match((await cli.run("workspace snapshot dev none --delete")).stderr, /has no snapshot none/);
  });
});

describe("workspace restore", () => {
  it("asks for it once more each time, and waits until it is done and all is as before", async () => {
    await nodeThat(true);
    for (const request of [1, 2]) {
      const running = cli.run("workspace restore dev first --yes");
      await wished(({ spec }) => spec.restore?.request === request);
      await tell({ phase: "Starting", restored: { snapshot: "first", request, time } });
      await tell({ restored: { snapshot: "first", request, time } });
      assert.deepEqual([(await running).code, (await running).stdout], [0, "workspace.vendetta.dev/dev restored to snapshot first\n"]);
    }
  });
  it("says what is lost, and goes on only when that is meant", async () => {
    await nodeThat(true);
    const { code, stderr } = await cli.run("workspace restore dev first");
    assert.equal(code, 1);
    assert.match(stderr, /written to its own disk since snapshot first was taken .* is lost: say --yes/);
    assert.match((await cli.run("workspace restore dev none --yes")).stderr, /has no snapshot none/);
    assert.equal((await cli.store.get("Workspace", ref)).spec.restore, undefined);
  });
});

describe("workspace snapshots", () => {
  it("lists them, the oldest first, and what is wrong with them", async () => {
    await cli.store.patch("Workspace", ref, { type: "merge", patch: { spec: { snapshots: [{ name: "later" }, { name: "first" }, { name: "lost" }] } } });
    await tell({ snapshots: [{ name: "later", createdTime: "2026-01-02T00:00:00Z" }, first, { name: "lost", lastTryTime: time, message: "no space left" }] });
    const { stdout } = await cli.run("workspace snapshots dev");
    assert.match(stdout, /^SNAPSHOT +AGE +MESSAGE\nfirst +\S+[^\n]*\nlater +\S+[^\n]*\nlost .*no space left\n$/);
  });
});

describe("logs --console", () => {
  it("shows the end of a Workspace's console, or why there is none", async () => {
    assert.equal((await cli.run("logs --console dev")).stdout, "one\ntwo\nthree\n");
    assert.equal((await cli.run("logs --console workspace/dev --tail 2")).stdout, "two\nthree\n");
    await cli.store.create("Workspace", workspace("plain", { provider: "host", image: undefined }) as never);
    assert.match((await cli.run("logs --console plain")).stderr, /provider host keeps none/);
    assert.match((await cli.run("logs --console dev -f")).stderr, /goes together with neither/);
  });
});

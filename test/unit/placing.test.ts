import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { findCondition } from "../../src/api/conditions.ts";
import { isNotFound } from "../../src/api/status-error.ts";
import { isRefusedForGood } from "../../src/api/workspace-end.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { settled as settledVerdict } from "../../src/cli/readiness.ts";
import { ProviderError, type Provider } from "../../src/providers/provider.ts";
import { placingWorld } from "../harness/placing-world.ts";

type World = Awaited<ReturnType<typeof placingWorld>>;
let world: World;
afterEach(() => world.end());

const failover = { failover: { afterSeconds: 300 }, mounts: [{ path: "/data", volume: "data" }] };
const readyOf = ({ status }: Workspace) => findCondition(status?.conditions, "Ready");
const told = (what: RegExp) => world.events.filter((each) => what.test(each)).length;

describe("failover", () => {
  beforeEach(async () => {
    world = await placingWorld(["a", "b"]);
    await world.create("dev", failover);
    await world.clock.advance(1000);
    assert.deepEqual(world.whereIs(await world.workspace("dev")), ["a running"]);
  });

  it("makes it anew on another Node when its own is lost, and removes what was left there when that is back", async () => {
    await world.say("a", "Unknown");
    await world.clock.advance(299_000);
    let dev = await world.workspace("dev");
    assert.deepEqual([dev.status?.nodeName, dev.status?.phase], ["a", "Unknown"]);
    assert.match(readyOf(dev)!.message, /made anew on another Node at \S+Z, unless this one is back before/);
    await world.clock.advance(2000);
    dev = await world.workspace("dev");
    assert.deepEqual(world.whereIs(dev), ["a running", "b running"]);
    assert.deepEqual([dev.status?.nodeName, dev.status?.phase, dev.status?.restarts], ["b", "Running", 1]);
    assert.deepEqual(dev.status?.leftBehind?.map((each) => [each.nodeName, each.instanceId]), [["a", dev.status?.instanceId]]);

    await world.say("a", "True");
    await world.clock.advance(1000);
    dev = await world.workspace("dev");
    assert.deepEqual([world.whereIs(dev), dev.status?.leftBehind, dev.status?.phase], [["b running"], undefined, "Running"]);
    assert.equal(world.engines.get("a")!.volumes.size, 1, "its volume there is kept");
    assert.equal(told(/^LeftBehindRemoved: .*its volume data is kept on Node "a"/), 1);
    assert.equal(told(/^(InstanceLost|InstanceEnded)/), 0);
  });

  it("stays when its Node is back before", async () => {
    await world.say("a", "Unknown");
    await world.clock.advance(200_000);
    await world.say("a", "True");
    await world.clock.advance(600_000);
    const dev = await world.workspace("dev");
    assert.deepEqual([world.whereIs(dev), dev.status?.phase, dev.status?.leftBehind], [["a running"], "Running", undefined]);
  });

  it("tells of each Node why none fits, and goes as soon as one does", async () => {
    await world.patchNode("b", { unschedulable: true });
    await world.say("a", "Unknown", "no answer");
    await world.clock.advance(400_000);
    let dev = await world.workspace("dev");
    assert.match(readyOf(dev)!.message, /cannot be made anew elsewhere: no Node fits: a: .*no answer.*; b: is cordoned/);
    assert.deepEqual([dev.status?.nodeName, told(/^FailoverBlocked/)], ["a", 1]);
    await world.patchNode("b", { unschedulable: false });
    await world.clock.advance(1000);
    dev = await world.workspace("dev");
    assert.deepEqual([dev.status?.nodeName, dev.status?.phase], ["b", "Running"]);
  });

  it("deleted, it waits for the Node that has something of it, and takes the volumes there, too", async () => {
    await world.say("a", "Unknown");
    await world.clock.advance(301_000);
    const { status, metadata } = await world.workspace("dev");
    assert.equal(status?.nodeName, "b");
    await world.store.delete("Workspace", metadata);
    await world.clock.advance(60_000);
    const dev = await world.workspace("dev");
    assert.deepEqual(world.whereIs(dev), ["a running"]);
    assert.match(readyOf(dev)!.message, /removal waits for Node "a"/);
    await world.say("a", "True");
    await world.clock.advance(2000);
    assert.deepEqual([(await world.store.list("Workspace")).items.length, world.whereIs(dev)], [0, []]);
    assert.deepEqual([...world.engines.values()].map((each) => each.volumes.size), [0, 0]);
  });

  it("deleted, it goes when the Node that has something of it is forgotten", async () => {
    await world.say("a", "Unknown");
    await world.clock.advance(301_000);
    await world.store.delete("Workspace", { namespace: "default", name: "dev" });
    await world.clock.advance(60_000);
    await world.store.delete("Node", { name: "a" });
    await world.clock.advance(2000);
    assert.deepEqual([(await world.store.list("Workspace")).items.length, told(/^LeftBehindForgotten/)], [0, 1]);
  });

  it("a Node that was forgotten is not waited for", async () => {
    await world.say("a", "Unknown");
    await world.store.delete("Node", { name: "a" });
    await world.clock.advance(2000);
    const dev = await world.workspace("dev");
    assert.deepEqual([dev.status?.nodeName, dev.status?.phase, dev.status?.leftBehind], ["b", "Running", undefined]);
  });

  it("a Node that was forgotten holds up no deletion", async () => {
    await world.patchNode("b", { unschedulable: true });
    await world.say("a", "Unknown");
    await world.store.delete("Node", { name: "a" });
    await world.clock.advance(2000);
    const { status, metadata } = await world.workspace("dev");
    assert.deepEqual([status?.nodeName, status?.phase], ["a", "Unknown"]);
    await world.store.delete("Workspace", metadata);
    await world.clock.advance(2000);
    assert.deepEqual([(await world.store.list("Workspace")).items.length, told(/^NodeForgotten/)], [0, 1]);
  });

  it("one that does not ask for it stays, and so does one that is stopped", async () => {
    await world.patchNode("b", { unschedulable: true });
    await world.create("plain");
    await world.clock.advance(1000);
    await world.patchNode("b", { unschedulable: false });
    await world.store.patch("Workspace", { namespace: "default", name: "dev" }, { type: "merge", patch: { spec: { state: "Stopped" } } });
    await world.clock.advance(1000);
    await world.say("a", "Unknown");
    await world.clock.advance(3_600_000);
    for (const name of ["dev", "plain"]) {
      const { status } = await world.workspace(name);
      assert.deepEqual([status?.nodeName, status?.phase], ["a", "Unknown"]);
    }
  });

  it("a Node that is not Ready keeps what can be seen to run there, and loses what cannot", async () => {
    await world.say("a", "False");
    world.engines.get("a")!.down = false;
    await world.clock.advance(400_000);
    assert.deepEqual([(await world.workspace("dev")).status?.nodeName, (await world.workspace("dev")).status?.phase], ["a", "Running"]);
    world.engines.get("a")!.down = true;
    // As the engine watch does when a listing fails.
    await world.patchNode("a", { taints: [{ key: "any", effect: "NoSchedule" }] });
    await world.store.patch("Workspace", { namespace: "default", name: "dev" }, { type: "merge", patch: { metadata: { labels: { look: "again" } } } });
    await world.clock.advance(10_000);
    assert.deepEqual([(await world.workspace("dev")).status?.nodeName, (await world.workspace("dev")).status?.phase], ["b", "Running"]);
  });
});

describe("spread", () => {
  it("twenty that are applied at once go evenly over equal Nodes, and never beyond what one has", async () => {
    world = await placingWorld(["a", "b", "c", "d"]);
    await Promise.all(Array.from({ length: 20 }, (_, i) => world.create(`w${i}`)));
    await world.clock.advance(5000);
    assert.deepEqual([...world.engines.values()].map((each) => each.instances.size), [5, 5, 5, 5]);
    await Promise.all(Array.from({ length: 20 }, (_, i) => world.create(`big${i}`, { resources: { cpu: "3", disk: "10Gi" } })));
    await world.clock.advance(5000);
    assert.deepEqual([...world.engines.values()].map((each) => each.instances.size), [7, 7, 7, 7]);
    const unplaced = (await world.store.list("Workspace")).items.filter((each) => each.status?.nodeName === undefined);
    assert.equal(unplaced.length, 12);
    assert.match(readyOf(unplaced[0]!)!.message, /not enough cpu \(3 asked for, 2 of 8 left\)/);
  });
});

describe("a Node that is to be empty", () => {
  beforeEach(async () => {
    world = await placingWorld(["a", "b"]);
    await world.patchNode("b", { unschedulable: true });
    await world.create("movable", failover);
    await world.create("bound");
    await world.create("pinned", { nodeName: "a" });
    await world.clock.advance(1000);
  });
  const states = async () => Object.fromEntries(await Promise.all(["movable", "bound", "pinned"].map(async (name) => [name, `${(await world.workspace(name)).status?.nodeName} ${(await world.workspace(name)).status?.phase}`] as const)));
  const onA = { movable: "a Running", bound: "a Running", pinned: "a Running" };

  it("drained: moves what may be moved once it fits elsewhere, stops the rest, and starts it again afterwards", async () => {
    assert.deepEqual(await states(), onA);
    await world.patchNode("a", { unschedulable: true, drain: {} });
    await world.clock.advance(5000);
    assert.deepEqual(await states(), { movable: "a Stopped", bound: "a Stopped", pinned: "a Stopped" });
    assert.match(readyOf(await world.workspace("movable"))!.message, /Node "a" is drained.*cannot be moved: no Node fits: a: is drained; b: is cordoned/);
    await world.patchNode("b", { unschedulable: false });
    await world.clock.advance(5000);
    assert.deepEqual(await states(), { movable: "b Running", bound: "a Stopped", pinned: "a Stopped" });
    assert.deepEqual(world.whereIs(await world.workspace("movable")), ["b running"]);
    assert.equal(told(/^Moved: .*its volume data is kept on Node "a"/), 1);
    await world.patchNode("a", { unschedulable: false, drain: null });
    await world.clock.advance(5000);
    assert.deepEqual(await states(), { movable: "b Running", bound: "a Running", pinned: "a Running" });
    assert.equal(told(/^(InstanceLost|InstanceEnded)/), 0);
  });
  it("drained of all: moves what does not name it", async () => {
    await world.patchNode("b", { unschedulable: false });
    await world.patchNode("a", { unschedulable: true, drain: { move: "Any" } });
    await world.clock.advance(5000);
    assert.deepEqual(await states(), { movable: "b Running", bound: "b Running", pinned: "a Stopped" });
  });
  it("a taint NoExecute does the same to what does not tolerate it, as long as it is there", async () => {
    await world.patchNode("b", { unschedulable: false });
    await world.store.patch("Workspace", { namespace: "default", name: "pinned" }, { type: "merge", patch: { spec: { tolerations: [{ key: "upgrade", operator: "Exists" }] } } });
    await world.patchNode("a", { taints: [{ key: "upgrade", effect: "NoExecute" }] });
    await world.clock.advance(5000);
    assert.deepEqual(await states(), { movable: "b Running", bound: "a Stopped", pinned: "a Running" });
    assert.match(readyOf(await world.workspace("bound"))!.message, /Node "a" has the taint upgrade:NoExecute/);
    await world.patchNode("a", { taints: [] });
    await world.clock.advance(5000);
    assert.equal((await states())["bound"], "a Running");
  });
});

describe("a spec that the engine refuses", () => {
  let tries: number;
  let refusal: ProviderError;
  beforeEach(async () => {
    world = await placingWorld(["a"]);
    tries = 0;
    const provider = world.providers.get("a")! as { create: Provider["create"] };
    const { create } = provider;
    provider.create = (spec, progress, signal) => {
      if (spec.image !== "bad") return create.call(provider, spec, progress, signal);
      tries++;
      return Promise.reject(refusal);
    };
  });
  afterEach(() => world.end());

  it("is not tried again until it is changed, and is told as final for that generation", async () => {
    refusal = new ProviderError("InvalidSpec", "no such thing", false);
    await world.create("dev", { image: "bad" });
    await world.clock.advance(600_000);
    await world.say("a", "True");
    await world.clock.advance(600_000);
    const failed = await world.workspace("dev");
    assert.deepEqual([tries, failed.status?.phase, failed.status?.nextRetryTime, isRefusedForGood(failed)], [1, "Failed", undefined, true]);
    assert.deepEqual(settledVerdict(failed), { done: false, state: "Failed", message: "no such thing", final: true });
    const { status: _, ...rest } = failed;
    const changed = await world.store.update("Workspace", { ...rest, spec: { ...failed.spec, env: { A: "1" } } });
    assert.equal(isRefusedForGood(changed), false, "the next generation has not been tried");
    await world.clock.advance(60_000);
    assert.equal(tries, 2);
    await world.store.patch("Workspace", { namespace: "default", name: "dev" }, { type: "merge", patch: { spec: { image: "sim" } } });
    await world.clock.advance(60_000);
    assert.equal((await world.workspace("dev")).status?.phase, "Running");
  });
  it("can be deleted, and its Node emptied", async () => {
    refusal = new ProviderError("InvalidSpec", "no such thing", false);
    await world.create("dev", { image: "bad" });
    await world.clock.advance(60_000);
    await world.patchNode("a", { unschedulable: true, drain: {} });
    await world.clock.advance(60_000);
    assert.equal((await world.workspace("dev")).status?.phase, "Stopped");
    await world.store.delete("Workspace", { namespace: "default", name: "dev" });
    await world.clock.advance(60_000);
    await assert.rejects(world.workspace("dev"), isNotFound);
  });
  it("is tried again and again when something else may help", async () => {
    refusal = new ProviderError("ImageNotFound", "not there yet", true);
    await world.create("dev", { image: "bad" });
    await world.clock.advance(600_000);
    const failed = await world.workspace("dev");
    assert.ok(tries > 5 && failed.status?.nextRetryTime !== undefined && !isRefusedForGood(failed), `${tries}`);
  });
});

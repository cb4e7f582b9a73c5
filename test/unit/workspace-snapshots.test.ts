import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { findCondition } from "../../src/api/conditions.ts";
import { ProviderError } from "../../src/providers/provider.ts";
import { placingWorld } from "../harness/placing-world.ts";

type World = Awaited<ReturnType<typeof placingWorld>>;
const ref = { namespace: "default", name: "dev" };

describe("snapshots of a Workspace", () => {
  let world: World;
  beforeEach(async () => {
    world = await placingWorld(["a"]);
    await world.create("dev", { mounts: [{ path: "/data", volume: "data" }] });
    await world.clock.advance(1000);
  });
  afterEach(() => world.end());

  const engine = () => world.engines.get("a")!;
  const instance = () => [...engine().instances.values()][0]!;
  const wish = async (spec: object, advanceMs = 1000) => {
    await world.store.patch("Workspace", ref, { type: "merge", patch: { spec } });
    await world.clock.advance(advanceMs);
    return await world.workspace("dev");
  };
  const kept = () => [...(engine().snapshots.values().next().value?.keys() ?? [])];
  const told = (what: RegExp) => world.events.filter((each) => what.test(each)).length;
  const snapshotsOf = async () => findCondition((await world.workspace("dev")).status?.conditions, "Snapshots");

  it("are taken once when they are named, and removed when their names go, and what runs does not notice", async () => {
    const { startId } = instance();
    instance().disk = "one";
    let dev = await wish({ snapshots: [{ name: "first" }] });
    assert.deepEqual([kept(), dev.status?.phase, dev.status?.observedGeneration], [["first"], "Running", dev.metadata.generation]);
    assert.deepEqual(dev.status?.snapshots?.map(({ name, message }) => [name, message]), [["first", undefined]]);
    instance().disk = "two";
    dev = await wish({ snapshots: [{ name: "first" }, { name: "second" }] });
    assert.deepEqual([kept(), told(/^SnapshotTaken/)], [["first", "second"], 2]);
    dev = await wish({ snapshots: [{ name: "second" }] });
    assert.deepEqual([kept(), dev.status?.snapshots?.map(({ name }) => name), (await snapshotsOf())?.status], [["second"], ["second"], "True"]);
    dev = await wish({ snapshots: [] });
    assert.deepEqual([kept(), dev.status?.snapshots], [[], undefined]);
    assert.deepEqual([instance().startId, told(/^(Started|Created)/)], [startId, 2]);
  });

  it("are put back once a request, with a new start, also over a re-creation", async () => {
    instance().disk = "good";
    await wish({ snapshots: [{ name: "before" }] });
    instance().disk = "bad";
    const { startId } = instance();
    let dev = await wish({ restore: { snapshot: "before", request: 1 } }, 3000);
    assert.deepEqual([instance().disk, dev.status?.phase, dev.status?.restored?.request, dev.status?.restarts], ["good", "Running", 1, 0]);
    assert.notEqual(instance().startId, startId);
    instance().disk = "bad again";
    await wish({ env: { A: "1" } }, 20_000);
    assert.equal(instance().disk, "", "it was made anew, and that was no request");
    dev = await wish({ restore: { request: 2 } }, 3000);
    assert.deepEqual([instance().disk, dev.status?.phase, told(/^Restored/), kept()], ["good", "Running", 2, ["before"]]);
  });

  it("taken and put back while it is stopped, it stays stopped", async () => {
    instance().disk = "good";
    await wish({ state: "Stopped", snapshots: [{ name: "s" }] }, 3000);
    instance().disk = "bad";
    const dev = await wish({ restore: { snapshot: "s" } }, 3000);
    assert.deepEqual([instance().disk, instance().state, dev.status?.phase, dev.status?.observedGeneration], ["good", "stopped", "Stopped", dev.metadata.generation]);
  });

  it("are taken before whatever else the same change brings", async () => {
    instance().disk = "good";
    await wish({ snapshots: [{ name: "s" }], env: { A: "1" } }, 20_000);
    assert.deepEqual([...engine().snapshots.values().next().value!.values()].map(({ disk }) => disk), ["good"]);
    assert.equal(instance().disk, "");
  });

  it("that fail are said and tried again, and what runs is Ready all the while", async () => {
    const { snapshots } = world.providers.get("a")!;
    const take = snapshots!.take.bind(snapshots);
    let tries = 0;
    snapshots!.take = (...args) => (++tries < 3 ? Promise.reject(new ProviderError("SnapshotFailed", "no space left", true)) : take(...args));
    const dev = await wish({ snapshots: [{ name: "s" }] });
    assert.deepEqual([dev.status?.phase, findCondition(dev.status?.conditions, "Ready")?.status, tries, (await snapshotsOf())?.message], ["Running", "True", 1, "s: no space left"]);
    await world.clock.advance(130_000);
    assert.deepEqual([kept(), tries, (await snapshotsOf())?.status, told(/^SnapshotFailed/)], [["s"], 3, "True", 2]);
  });

  it("that somebody removed are said to be gone, and not taken anew", async () => {
    await wish({ snapshots: [{ name: "s" }] });
    engine().snapshots.clear();
    const dev = await wish({ env: { A: "1" } }, 20_000);
    assert.deepEqual([kept(), (await snapshotsOf())?.reason, dev.status?.phase], [[], "SnapshotLost", "Running"]);
  });

  it("go with the Workspace", async () => {
    await wish({ snapshots: [{ name: "s" }] });
    await world.store.delete("Workspace", ref);
    await world.clock.advance(5000);
    assert.equal(engine().snapshots.size, 0);
  });

  it("are refused with a reason where the engine keeps none", async () => {
    await world.end();
    world = await placingWorld(["a"], { parts: [] });
    await world.create("dev", { snapshots: [{ name: "s" }], restore: { snapshot: "s" } });
    await world.clock.advance(5000);
    const { status } = await world.workspace("dev");
    assert.deepEqual([status?.phase, status?.snapshots, (await snapshotsOf())?.reason], ["Running", [{ name: "s", message: "provider docker keeps no snapshots" }], "NotSupported"]);
  });

  it("cannot be put back to a name that is no snapshot's", async () => {
    await assert.rejects(wish({ restore: { snapshot: "no" } }), /spec\.restore\.snapshot.*names no snapshot/s);
  });
});

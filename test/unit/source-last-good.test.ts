import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { createSourceWorld, cutOff, serviceText, type SourceWorld } from "../harness/source-world.ts";

const applied = "True Applied";

describe("a Source without a set that can be applied", () => {
  let world: SourceWorld;
  let files: Map<string, string>;
  const pass = async () => {
    await world.pass("s");
    return await world.ready("s");
  };
  const breaks: readonly (readonly [string, () => void, () => void])[] = [
    ["as something is wrong with it", () => void files.set("broken.yaml", "kind: [\n"), () => void files.delete("broken.yaml")],
    ["as it cannot be read", () => world.setReading("s", { kind: "unreadable", reason: "NotFound", message: "there is no such directory" }), () => world.setReading("s", undefined)],
  ];
  beforeEach(async () => {
    world = createSourceWorld();
    files = world.files("s");
    await world.make("s");
    files.set("a", serviceText("a", { env: { A: "1" } })).set("b", serviceText("b"));
    await pass();
  });
  const drift = async () => {
    await world.store.patch("Service", { namespace: "default", name: "a" }, { type: "merge", patch: { spec: { env: { A: "9" } } } }, { fieldManager: "hand" });
    await world.store.delete("Service", { namespace: "default", name: "b" });
  };
  for (const [why, spoil, mend] of breaks) {
    it(`holds to the last one what others change, ${why}`, async () => {
      spoil();
      files.set("new", serviceText("new"));
      await pass();
      await drift();
      await pass();
      assert.deepEqual([await world.names(), (await world.service("a")).spec.env], [["svc/a", "svc/b"], { A: "1" }]);
      assert.match(world.events.at(-1)!.message, /^1 reverted, 1 created, as in the set that was applied last$/);
      const { resourceVersion } = await world.store.list("Source");
      await pass();
      assert.equal((await world.store.list("Source")).resourceVersion, resourceVersion, "a settled pass writes");
      // What was made again is its own, and goes when its manifest does.
      mend();
      files.delete("b");
      assert.equal(await pass(), applied);
      assert.deepEqual(await world.names(), ["svc/a", "svc/new"]);
    });
    it(`leaves all as it is when it does not know the last one, ${why}`, async () => {
      spoil();
      world.restart();
      await drift();
      await pass();
      assert.deepEqual([await world.names(), (await world.service("a")).spec.env], [["svc/a"], { A: "9" }]);
      mend();
      assert.equal(await pass(), applied);
      assert.deepEqual([await world.names(), (await world.service("a")).spec.env], [["svc/a", "svc/b"], { A: "1" }]);
    });
    it(`says what others have changed where it is left so, ${why}`, async () => {
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { driftPolicy: "report" } } });
      await pass();
      spoil();
      await drift();
      await pass();
      assert.deepEqual((await world.status("s")).drift?.map(({ name }) => name), ["a", "b"]);
      assert.deepEqual((await world.service("a")).spec.env, { A: "9" });
    });
    it(`does not go back to one that another spec named, ${why}`, async () => {
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { directory: { path: "/elsewhere" } } } });
      spoil();
      await drift();
      await pass();
      assert.deepEqual(await world.names(), ["svc/a"]);
    });
  }
  it("does not go back to the set before the one that it was cut off at", async () => {
    for (let writes = 1; ; writes++) {
      let left = Infinity;
      const world = createSourceWorld((store) => cutOff(store, () => left-- > 0));
      await world.make("s");
      const files = world.files("s").set("a", serviceText("a", { env: { A: "1" } })).set("b", serviceText("b"));
      await world.pass("s");
      files.delete("b");
      files.set("a", serviceText("a", { env: { A: "2" } })).set("c", serviceText("c"));
      left = writes;
      const cut = await world.pass("s").then(() => false, () => true);
      left = Infinity;
      const before = [await world.names(), (await world.service("a")).spec.env];
      files.set("broken.yaml", "kind: [\n");
      await world.pass("s");
      assert.deepEqual([await world.names(), (await world.service("a")).spec.env], before, `after ${writes} writes`);
      if (!cut) return;
    }
  });
});

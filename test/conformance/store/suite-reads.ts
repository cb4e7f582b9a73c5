import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseLabelSelector } from "../../../src/api/label-selector.ts";
import { labelsEqual, parseFieldSelector } from "../../../src/api/selectors.ts";
import type { StatusError } from "../../../src/api/status-error.ts";
import type { KindName } from "../../../src/api/registry.ts";
import type { ListOptions, Store } from "../../../src/store/store.ts";
import { named, namespace, status, withStore, workspace, type MakeStore, type Skips } from "./fixture.ts";

/** All pages, with the number of each page's items. */
async function pages(store: Store, kind: KindName, options: ListOptions, between: () => Promise<unknown> = async () => {}): Promise<{ readonly names: string[]; readonly sizes: number[]; readonly versions: string[]; readonly left: (number | undefined)[] }> {
  const found = { names: [] as string[], sizes: [] as number[], versions: [] as string[], left: [] as (number | undefined)[] };
  let token: string | undefined;
  do {
    const page = await store.list(kind, { ...options, continue: token });
    found.names.push(...named(page.items));
    found.sizes.push(page.items.length);
    found.versions.push(page.resourceVersion);
    found.left.push(page.remainingItemCount);
    token = page.continue;
    if (token !== undefined) await between();
  } while (token !== undefined);
  return found;
}

export function readTests(make: MakeStore, skips: Skips): void {
  const it = (name: string, body: (store: Store) => Promise<void>) => withStore(make, name, body);
  const add = (store: Store, names: readonly string[], metadata: object = {}) => Promise.all(names.map((name) => store.create("Workspace", workspace(name, { metadata }))));

  describe("get and list", () => {
    it("get of what is not there is NotFound", async (store) => {
      await assert.rejects(store.get("Workspace", { namespace: "default", name: "x" }), status("NotFound", 'workspaces.vendetta.dev "x" not found'));
      await assert.rejects(store.get("Workspace", { namespace: "nowhere", name: "x" }), status("NotFound"));
    });

    it("lists by namespace, then name, in code-unit order", async (store) => {
      await store.create("Namespace", namespace("b"));
      await store.create("Namespace", namespace("b-a"));
      await add(store, ["b", "a-b", "a", "a0", "10", "9"]);
      await add(store, ["z"], { namespace: "b" });
      await add(store, ["y"], { namespace: "b-a" });
      assert.deepEqual(named((await store.list("Workspace")).items), ["b/z", "b-a/y", "default/10", "default/9", "default/a", "default/a-b", "default/a0", "default/b"]);
      assert.deepEqual(named((await store.list("Workspace", { namespace: "b" })).items), ["b/z"]);
      assert.deepEqual((await store.list("Workspace", { namespace: "nowhere" })).items, []);
      assert.deepEqual(named((await store.list("Namespace")).items), ["b", "b-a", "default"]);
    });

    it("selects by labels and fields", async (store) => {
      await store.create("Workspace", workspace("a", { metadata: { labels: { app: "web", tier: "front" } } }));
      await store.create("Workspace", workspace("b", { metadata: { labels: { app: "db" } } }));
      await store.create("Workspace", workspace("c", { spec: { provider: "lxc", nodeName: "n1" } }));
      await store.updateStatus("Workspace", workspace("c", { status: { phase: "Running" } }));
      const by = async (options: ListOptions) => named((await store.list("Workspace", options)).items).join(" ");
      assert.equal(await by({ labels: labelsEqual({ app: "web" }) }), "default/a");
      assert.equal(await by({ labels: parseLabelSelector("app in (web,db)") }), "default/a default/b");
      assert.equal(await by({ labels: parseLabelSelector("app!=web") }), "default/b default/c");
      assert.equal(await by({ labels: parseLabelSelector("!app") }), "default/c");
      const fields = (text: string) => parseFieldSelector(text, ["metadata.name", "metadata.namespace", "spec.provider", "spec.nodeName", "status.phase"]);
      assert.equal(await by({ fields: fields("metadata.name=b") }), "default/b");
      assert.equal(await by({ fields: fields("spec.provider=docker") }), "default/a default/b");
      assert.equal(await by({ fields: fields("status.phase!=Running,metadata.name!=a") }), "default/b");
      assert.equal(await by({ fields: fields("spec.nodeName=") }), "default/a default/b");
      assert.equal(await by({ namespace: "default", labels: labelsEqual({ app: "web" }), fields: fields("metadata.name=b") }), "");
    });

    it("pages are one list", async (store) => {
      await add(store, ["a", "b", "c", "d", "e"]);
      const found = await pages(store, "Workspace", { limit: 2 });
      assert.deepEqual(found.names, ["default/a", "default/b", "default/c", "default/d", "default/e"]);
      assert.deepEqual(found.sizes, [2, 2, 1]);
      assert.deepEqual(found.left, [3, 1, undefined]);
      assert.deepEqual((await pages(store, "Workspace", { limit: 5 })).sizes, [5]);
      assert.deepEqual((await pages(store, "Workspace", { limit: 2, namespace: "default", labels: parseLabelSelector("!x") })).left, [undefined, undefined, undefined]);
    });

    it("pages hold the state of the first page's version, whatever is written between", async (store) => {
      await add(store, ["a", "c", "e", "g", "i"]);
      let n = 0;
      const found = await pages(store, "Workspace", { limit: 2 }, async () => {
        if (n++ === 0) await store.delete("Workspace", { namespace: "default", name: "g" });
        await add(store, [`f${n}`, `a${n}`, `z${n}`]);
      });
      assert.deepEqual(found.names, ["default/a", "default/c", "default/e", "default/g", "default/i"]);
      assert.equal(new Set(found.versions).size, 1);
      assert.deepEqual(found.left, [3, 1, undefined]);
    });

    it("a page shows objects as they were", async (store) => {
      await add(store, ["a", "b"]);
      const first = await store.list("Workspace", { limit: 1 });
      await store.update("Workspace", workspace("b", { spec: { env: { A: "1" } } }));
      await store.update("Workspace", workspace("b", { spec: { env: { A: "2" } } }));
      const second = await store.list("Workspace", { limit: 1, continue: first.continue });
      assert.deepEqual([second.items[0]?.spec.env, second.items[0]?.metadata.generation], [{}, 1]);
    });

    it("lists what was there at a version", async (store) => {
      await add(store, ["a", "b"]);
      const { resourceVersion: at } = await store.list("Workspace");
      await store.delete("Workspace", { namespace: "default", name: "a" });
      await store.update("Workspace", workspace("b", { spec: { env: { A: "1" } } }));
      await add(store, ["c"]);
      const then = await store.list("Workspace", { at });
      assert.deepEqual([named(then.items), then.items[1]?.spec.env, then.resourceVersion], [["default/a", "default/b"], {}, at]);
      const first = await store.list("Workspace", { at, limit: 1 });
      assert.deepEqual([named(first.items), first.remainingItemCount], [["default/a"], 1]);
      assert.deepEqual(named((await store.list("Workspace", { continue: first.continue })).items), ["default/b"]);
      const now = await store.list("Workspace");
      assert.deepEqual(await store.list("Workspace", { at: now.resourceVersion }), now);
    });

    it("lists nothing at a version it has not come to", async (store) => {
      const { resourceVersion } = await store.list("Workspace");
      const later = String(Number(resourceVersion) + 1);
      await assert.rejects(store.list("Workspace", { at: later }), status("Timeout", `Too large resource version: ${later}, current: ${resourceVersion}`));
      await assert.rejects(store.list("Workspace", { at: "x" }), status("BadRequest", "resourceVersion" , /x/));
    });

    test("a version that is too old is Expired", { timeout: 20_000, skip: skips.bounds ?? false }, async () => {
      const { store, close } = await make({ historyEventsMax: 3 });
      try {
        const { resourceVersion: at } = await store.list("Workspace");
        await add(store, ["a", "b", "c"]);
        assert.deepEqual((await store.list("Workspace", { at })).items, []);
        await add(store, ["d"]);
        await assert.rejects(store.list("Workspace", { at }), status("Expired", "too old"));
      } finally {
        await close();
      }
    });

    it("refuses a continue token it did not give", async (store) => {
      await assert.rejects(store.list("Workspace", { continue: "nonsense" }), status("BadRequest", "continue token"));
    });

    test("a continue token that is too old is Expired", { timeout: 20_000, skip: skips.bounds ?? false }, async () => {
      const { store, close } = await make({ historyEventsMax: 3 });
      try {
        await add(store, ["a", "b"]);
        const first = await store.list("Workspace", { limit: 1 });
        for (let i = 0; i < 3; i++) await add(store, [`c${i}`]);
        assert.deepEqual(named((await store.list("Workspace", { limit: 9, continue: first.continue })).items), ["default/b"]);
        await add(store, ["c4"]);
        const expired = await store.list("Workspace", { limit: 1, continue: first.continue }).catch((error: unknown) => error);
        status("Expired", "too old to display a consistent list", "inconsistent")(expired);
        // Whoever can live with a list that is not of one moment goes on behind the same object.
        const rest = await store.list("Workspace", { limit: 2, continue: (expired as StatusError).continue });
        assert.deepEqual(named(rest.items), ["default/b", "default/c0"]);
        const current = (await store.list("Workspace")).resourceVersion;
        assert.deepEqual([rest.resourceVersion, rest.remainingItemCount], [current, 3]);
        // From there on it is consistent again.
        await add(store, ["d"]);
        assert.deepEqual(named((await store.list("Workspace", { continue: rest.continue })).items), ["default/c1", "default/c2", "default/c4"]);
      } finally {
        await close();
      }
    });

    it("reads what was written before, at once", async (store) => {
      for (let i = 0; i < 20; i++) {
        const { metadata } = await store.create("Workspace", workspace(`w${i}`));
        assert.equal((await store.get("Workspace", { namespace: "default", name: `w${i}` })).metadata.uid, metadata.uid);
        assert.equal((await store.list("Workspace")).items.length, i + 1);
      }
    });
  });
}

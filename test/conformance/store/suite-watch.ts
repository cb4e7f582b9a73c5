import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseLabelSelector } from "../../../src/api/label-selector.ts";
import { parseFieldSelector } from "../../../src/api/selectors.ts";
import type { Store, WatchEvent } from "../../../src/store/store.ts";
import type { Workspace } from "../../../src/api/workspace.ts";
import { named, status, take, told, workspace, type MakeStore, type Skips } from "./fixture.ts";

const ref = (name: string) => ({ namespace: "default", name });

export function watchTests(make: MakeStore, skips: Skips): void {
  const it = (name: string, body: (store: Store, signal: AbortSignal) => Promise<void>) => {
    test(name, { timeout: 20_000 }, async () => {
      const { store, close } = await make({});
      const controller = new AbortController();
      try {
        await body(store, controller.signal);
      } finally {
        controller.abort();
        await close();
      }
    });
  };
  const version = async (store: Store) => (await store.list("Workspace")).resourceVersion;

  describe("watch", () => {
    it("tells every change after a version, in order, each once", async (store, signal) => {
      await store.create("Workspace", workspace("before"));
      const from = await version(store);
      await store.create("Workspace", workspace("a"));
      const watch = store.watch("Workspace", { from }, signal);
      await store.update("Workspace", workspace("a", { spec: { env: { A: "1" } } }));
      await store.updateStatus("Workspace", workspace("a", { status: { phase: "Running" } }));
      await store.update("Workspace", workspace("a", { spec: { env: { A: "1" } } }));
      await store.delete("Workspace", ref("a"));
      await store.create("Workspace", workspace("b"));
      const events = await take(watch, 5);
      assert.deepEqual(told(events), ["ADDED a", "MODIFIED a", "MODIFIED a", "DELETED a", "ADDED b"]);
      const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
      assert.deepEqual(versions, versions.toSorted((x, y) => x - y));
      assert.equal(new Set(versions).size, 5);
      assert.deepEqual(events[3]?.object.status, { phase: "Running" });
    });

    it("list, then watch from there, misses nothing while others write", async (store, signal) => {
      const writing = (async () => {
        for (let i = 0; i < 100; i++) await store.create("Workspace", workspace(`w${i}`));
      })();
      await Promise.all([0, 1, 2].map(() => store.list("Workspace")));
      const list = await store.list("Workspace");
      const events = await take(store.watch("Workspace", { from: list.resourceVersion }, signal), 100 - list.items.length);
      await writing;
      assert.deepEqual([...named(list.items), ...events.map(({ object }) => `default/${object.metadata.name}`)].sort(), named((await store.list("Workspace")).items).sort());
    });

    it("sees only its kind and namespace", async (store, signal) => {
      await store.create("Namespace", { apiVersion: "v1", kind: "Namespace", metadata: { name: "other" } } as never);
      const from = await version(store);
      await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "n" }, spec: { local: {} } } as never);
      await store.create("Workspace", workspace("elsewhere", { metadata: { namespace: "other" } }));
      await store.create("Workspace", workspace("here"));
      assert.deepEqual(told(await take(store.watch("Workspace", { from, namespace: "default" }, signal), 1)), ["ADDED here"]);
    });

    it("an object that leaves the selection is DELETED, one that enters is ADDED", async (store, signal) => {
      const from = await version(store);
      await store.create("Workspace", workspace("a"));
      await store.update("Workspace", workspace("a", { metadata: { labels: { in: "1" } } }));
      await store.update("Workspace", workspace("a", { metadata: { labels: { in: "1", more: "1" } } }));
      const out = await store.update("Workspace", workspace("a"));
      await store.update("Workspace", workspace("a", { metadata: { labels: { in: "1" } } }));
      await store.delete("Workspace", ref("a"));
      const events = await take(store.watch("Workspace", { from, labels: parseLabelSelector("in") }, signal), 5);
      assert.deepEqual(told(events), ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a"]);
      assert.deepEqual(events[2]?.object.metadata.labels, { in: "1", more: "1" });
      assert.equal(events[2]?.object.metadata.resourceVersion, out.metadata.resourceVersion);
    });

    it("selects by field", async (store, signal) => {
      const from = await version(store);
      await store.create("Workspace", workspace("a"));
      await store.create("Workspace", workspace("b"));
      await store.updateStatus("Workspace", workspace("b", { status: { phase: "Running" } }));
      assert.deepEqual(told(await take(store.watch("Workspace", { from, fields: parseFieldSelector("metadata.name=b", ["metadata.name"]) }, signal), 2)), ["ADDED b", "MODIFIED b"]);
      assert.deepEqual(told(await take(store.watch("Workspace", { from, fields: parseFieldSelector("status.phase=Running", ["status.phase"]) }, signal), 1)), ["ADDED b"]);
    });

    it("DELETED carries the last state under the version of the deletion", async (store, signal) => {
      await store.create("Workspace", workspace("a", { metadata: { finalizers: ["vendetta.dev/x"], labels: { l: "1" } } }));
      const from = await version(store);
      const going = await store.delete("Workspace", ref("a"));
      const last = await store.update("Workspace", { ...going, metadata: { ...going.metadata, finalizers: [] } });
      const events = await take(store.watch("Workspace", { from }, signal), 2);
      assert.deepEqual(told(events), ["MODIFIED a", "DELETED a"]);
      assert.deepEqual(events[1]?.object, last);
      assert.ok(Number(last.metadata.resourceVersion) > Number(going.metadata.resourceVersion));
      assert.equal(await version(store), last.metadata.resourceVersion);
    });

    it("many watchers are told the same", async (store, signal) => {
      const from = await version(store);
      const watches = Array.from({ length: 20 }, () => take(store.watch("Workspace", { from }, signal), 10));
      for (let i = 0; i < 10; i++) await store.create("Workspace", workspace(`w${i}`));
      const all = await Promise.all(watches);
      for (const events of all) assert.deepEqual(events, all[0]);
    });

    it("ends when its signal aborts, before and while it waits", async (store) => {
      const controller = new AbortController();
      const iterator = store.watch("Workspace", { from: await version(store) }, controller.signal)[Symbol.asyncIterator]();
      const waiting = iterator.next();
      controller.abort();
      assert.equal((await waiting).done, true);
      assert.equal((await iterator.next()).done, true);
      assert.equal((await store.watch("Workspace", {}, controller.signal)[Symbol.asyncIterator]().next()).done, true);
    });

    it("can be left early", async (store, signal) => {
      const from = await version(store);
      await store.create("Workspace", workspace("a"));
      for await (const event of store.watch("Workspace", { from }, signal)) {
        assert.equal(event.type, "ADDED");
        break;
      }
    });

    it("from a version the store has not reached is Gone: it is another store's", async (store, signal) => {
      await assert.rejects(take(store.watch("Workspace", { from: "999999" }, signal), 1), status("Gone", "list again"));
    });

    test("from a version that is no longer kept is Gone", { timeout: 20_000, skip: skips.bounds ?? false }, async () => {
      const { store, close } = await make({ historyEventsMax: 3 });
      const controller = new AbortController();
      try {
        const from = await version(store);
        for (let i = 0; i < 4; i++) await store.create("Workspace", workspace(`w${i}`));
        await assert.rejects(take(store.watch("Workspace", { from }, controller.signal), 1), status("Gone", "list again"));
        // Its own kind's history is what counts: others may write as they like.
        const events = take(store.watch("Node", { from: await version(store) }, controller.signal), 1);
        for (let i = 4; i < 9; i++) await store.create("Workspace", workspace(`w${i}`));
        await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "n" }, spec: { local: {} } } as never);
        assert.deepEqual(told(await events), ["ADDED n"]);
      } finally {
        controller.abort();
        await close();
      }
    });

    test("a reader that falls too far behind is told Gone", { timeout: 20_000, skip: skips.directWatch ?? false }, async () => {
      const { store, close } = await make({ watchBufferEventsMax: 5 });
      const controller = new AbortController();
      try {
        const slow = store.watch("Workspace", { from: await version(store) }, controller.signal);
        const quick = take(store.watch("Workspace", { from: await version(store) }, controller.signal), 6);
        for (let i = 0; i < 6; i++) await store.create("Workspace", workspace(`w${i}`));
        assert.equal((await quick).length, 6);
        await assert.rejects(take(slow, 1), status("Gone", "list again"));
      } finally {
        controller.abort();
        await close();
      }
    });

    test("once a minute a BOOKMARK tells how far the store has come", { timeout: 20_000, skip: skips.clock ?? false }, async () => {
      const { store, close, advance } = await make({});
      const controller = new AbortController();
      try {
        const iterator = store.watch("Workspace", { from: await version(store) }, controller.signal)[Symbol.asyncIterator]();
        const next = iterator.next() as Promise<IteratorResult<WatchEvent<Workspace>, undefined>>;
        await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "n" }, spec: { local: {} } } as never);
        await advance?.(61_000);
        assert.deepEqual((await next).value, { type: "BOOKMARK", resourceVersion: await version(store) });
      } finally {
        controller.abort();
        await close();
      }
    });
  });
}

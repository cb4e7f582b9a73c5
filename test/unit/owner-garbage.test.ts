import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ObjectInput, StoredObject } from "../../src/api/meta.ts";
import type { Service } from "../../src/api/service.ts";
import { ownerGarbageWorld } from "../harness/owner-garbage-world.ts";

type Owner = { readonly of: StoredObject; readonly block?: boolean; readonly uid?: string };

/** Services over a memory store, with the collector running. Names stand for objects. */
async function world() {
  const { store, clock, end } = await ownerGarbageWorld("Service", 11);
  const referencesTo = (owners: readonly Owner[]) => owners.map(({ of, block, uid = of.metadata.uid }) => ({ apiVersion: of.apiVersion, kind: of.kind, name: of.metadata.name, uid, ...(block === undefined ? {} : { blockOwnerDeletion: block }) }));
  return {
    store,
    advance: (ms: number) => clock.advance(ms),
    make: (name: string, owners: readonly Owner[] = [], finalizers: readonly string[] = []) =>
      store.create("Service", { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace: "default", ownerReferences: referencesTo(owners), finalizers }, spec: { workspace: "w", command: ["true"] } } as unknown as ObjectInput<Service>),
    own: (name: string, owners: readonly Owner[]) => store.patch("Service", { namespace: "default", name }, { type: "merge", patch: { metadata: { ownerReferences: referencesTo(owners) } } }),
    remove: (name: string, propagation?: "Background" | "Foreground" | "Orphan") => store.delete("Service", { namespace: "default", name }, {}, { propagation }),
    finish: (name: string) => store.patch("Service", { namespace: "default", name }, { type: "merge", patch: { metadata: { finalizers: null } } }),
    get: (name: string) => store.get("Service", { namespace: "default", name }),
    names: async () => (await store.list("Service")).items.map((each) => each.metadata.name),
    end,
  };
}

type World = Awaited<ReturnType<typeof world>>;
function inWorld(name: string, body: (w: World) => Promise<void>): void {
  it(name, async () => {
    const w = await world();
    await body(w);
    await w.end();
  });
}

describe("dependents of what is deleted in the background", () => {
  inWorld("go after it, and theirs after them", async (w) => {
    const a = await w.make("a");
    const b = await w.make("b", [{ of: a }]);
    await w.make("c", [{ of: b }]);
    await w.remove("a");
    await w.advance(400);
    assert.deepEqual(await w.names(), []);
  });
  inWorld("stay while another owner is there, and forget the one that went", async (w) => {
    const [a, b] = [await w.make("a"), await w.make("b")];
    await w.make("c", [{ of: a }, { of: b, block: true }]);
    await w.remove("a");
    await w.advance(400);
    assert.deepEqual((await w.get("c")).metadata.ownerReferences?.map((each) => each.name), ["b"]);
    await w.remove("b");
    await w.advance(400);
    assert.deepEqual(await w.names(), []);
  });
  inWorld("do not belong to another object that has the name", async (w) => {
    const a = await w.make("a");
    await w.make("b", [{ of: a, uid: "somebody-else" }]);
    await w.advance(400);
    assert.deepEqual(await w.names(), ["a"]);
  });
  inWorld("stay when their owner is of a kind that we do not know, or cannot be looked up", async (w) => {
    const room = await w.store.get("Namespace", { name: "default" });
    await w.make("a", [{ of: { ...room, apiVersion: "example.com/v1", kind: "Thing" } }]);
    const b = await w.make("b");
    await w.store.create("Namespace", { apiVersion: "v1", kind: "Namespace", metadata: { name: "n", ownerReferences: [{ apiVersion: b.apiVersion, kind: b.kind, name: "gone", uid: "gone" }] }, spec: {} });
    await w.advance(61_000);
    assert.deepEqual(await w.names(), ["a", "b"]);
    await w.store.get("Namespace", { name: "n" });
  });
  inWorld("are found after half a minute also when their kind has no informer", async (w) => {
    const a = await w.make("a");
    await w.store.create("Event", { apiVersion: "v1", kind: "Event", metadata: { name: "e", namespace: "default", ownerReferences: [{ apiVersion: a.apiVersion, kind: a.kind, name: "a", uid: a.metadata.uid }] }, involvedObject: {} });
    await w.advance(1000);
    await w.remove("a");
    await w.advance(31_000);
    assert.deepEqual((await w.store.list("Event")).items, []);
  });
});

describe("deletion in the foreground", () => {
  inWorld("waits for dependents that block it, and for theirs", async (w) => {
    const a = await w.make("a");
    const b = await w.make("b", [{ of: a, block: true }]);
    await w.make("c", [{ of: b, block: true }], ["vendetta.dev/held"]);
    await w.remove("a", "Foreground");
    await w.advance(2000);
    assert.deepEqual(await w.names(), ["a", "b", "c"], "c is held, and b and a wait");
    assert.deepEqual((await w.get("b")).metadata.finalizers, ["foregroundDeletion"]);
    assert.ok((await w.get("c")).metadata.deletionTimestamp);
    await w.finish("c");
    await w.advance(500);
    assert.deepEqual(await w.names(), []);
  });
  inWorld("deletes other dependents too, and does not wait for them", async (w) => {
    const a = await w.make("a");
    await w.make("b", [{ of: a, block: false }], ["vendetta.dev/held"]);
    await w.make("c", [{ of: a }], ["vendetta.dev/held"]);
    await w.remove("a", "Foreground");
    await w.advance(500);
    assert.deepEqual(await w.names(), ["b", "c"]);
    for (const name of ["b", "c"]) assert.ok((await w.get(name)).metadata.deletionTimestamp, name);
  });
  inWorld("leaves a dependent that has another owner to it", async (w) => {
    const [a, other] = [await w.make("a"), await w.make("other")];
    await w.make("b", [{ of: a, block: true }, { of: other }]);
    await w.remove("a", "Foreground");
    await w.advance(500);
    assert.deepEqual(await w.names(), ["b", "other"]);
    assert.deepEqual((await w.get("b")).metadata.ownerReferences?.map((each) => each.name), ["other"]);
  });
  inWorld("of a circle ends", async (w) => {
    const a = await w.make("a");
    const b = await w.make("b", [{ of: a, block: true }]);
    const c = await w.make("c", [{ of: b, block: true }]);
    await w.own("a", [{ of: c, block: true }]);
    await w.remove("a", "Foreground");
    await w.advance(2000);
    assert.deepEqual(await w.names(), []);
  });
  inWorld("of what has no dependents is over at once", async (w) => {
    await w.make("a");
    await w.remove("a", "Foreground");
    await w.advance(300);
    assert.deepEqual(await w.names(), []);
  });
});

describe("deletion that leaves orphans", () => {
  inWorld("takes the reference off dependents, and leaves them and their other owners", async (w) => {
    const [a, b] = [await w.make("a"), await w.make("b")];
    await w.make("c", [{ of: a, block: true }]);
    await w.make("d", [{ of: a }, { of: b }]);
    await w.remove("a", "Orphan");
    await w.advance(500);
    assert.deepEqual(await w.names(), ["b", "c", "d"]);
    assert.deepEqual([(await w.get("c")).metadata.ownerReferences, (await w.get("d")).metadata.ownerReferences?.map((each) => each.name)], [undefined, ["b"]]);
    await w.advance(61_000);
    assert.deepEqual(await w.names(), ["b", "c", "d"]);
  });
  inWorld("of two owners at once, too", async (w) => {
    const [a, b] = [await w.make("a"), await w.make("b")];
    await w.make("c", [{ of: a }, { of: b }]);
    await Promise.all([w.remove("a", "Orphan"), w.remove("b", "Orphan")]);
    await w.advance(500);
    assert.deepEqual(await w.names(), ["c"]);
    assert.equal((await w.get("c")).metadata.ownerReferences, undefined);
  });
});

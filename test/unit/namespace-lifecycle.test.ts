import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger as log } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { ObjectInput } from "../../src/api/meta.ts";
import type { KindMap, KindName } from "../../src/api/registry.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { createController } from "../../src/runtime/controller.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createNamespaceReconciler } from "../../src/runtime/namespace-lifecycle.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";

const own = "vendetta.dev/v1alpha1";
const object = (kind: KindName, name: string, finalizers: readonly string[] = []) => {
  const metadata = { name, namespace: "team", finalizers };
  const bodies: Partial<Record<KindName, object>> = {
    Service: { apiVersion: own, spec: { workspace: "w", command: ["true"] } },
    Workspace: { apiVersion: own, spec: { provider: "host" } },
    Lease: { apiVersion: "coordination.k8s.io/v1", spec: {} },
    Event: { apiVersion: "v1", involvedObject: {} },
  };
  return { kind, metadata, ...bodies[kind] } as never;
};

/** A namespace "team" under its reconciler. `wrap` stands between the reconciler and the store. */
async function world(wrap: (store: Store) => Partial<Store> = () => ({})) {
  const clock = createVirtualClock();
  const random = seededRandom(11);
  const store = createMemoryStore({ clock, random });
  const stop = new AbortController();
  const informer = createInformer("Namespace", { store, clock, random, log });
  const parts = { list: store.list.bind(store), delete: store.delete.bind(store), update: store.update.bind(store), updateStatus: store.updateStatus.bind(store), ...wrap(store) };
  const controller = createController(createNamespaceReconciler({ store: parts, namespaces: informer.lister, clock }), { informers: { Namespace: informer }, clock, random, log });
  const ended = [informer, controller].map((each) => each.run(stop.signal, () => {}));
  await store.create("Namespace", { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" }, spec: {} });
  await clock.advance(200);
  return {
    store,
    clock,
    make: <K extends KindName>(kind: K, name: string, finalizers: readonly string[] = []) => store.create(kind, object(kind, name, finalizers) as ObjectInput<KindMap[K]>),
    finish: (kind: KindName, name: string) => store.patch(kind, { namespace: "team", name }, { type: "merge", patch: { metadata: { finalizers: null } } }),
    team: () => store.get("Namespace", { name: "team" }),
    going: async (kind: KindName) => (await store.list(kind, { namespace: "team" })).items.map((each) => each.metadata.deletionTimestamp !== undefined),
    async end() {
      stop.abort();
      await clock.advance(5000);
      await Promise.all(ended);
    },
  };
}

describe("a namespace", () => {
  it("is Active, and carries its name as a label", async () => {
    const w = await world();
    const team = await w.team();
    assert.deepEqual([team.status, team.metadata.labels], [{ phase: "Active" }, { "kubernetes.io/metadata.name": "team" }]);
    await w.end();
  });

  it("that is deleted empties itself in order, says what is left and why, and goes", async () => {
    const w = await world();
    await w.make("Event", "e");
    await w.make("Lease", "l");
    await w.make("Workspace", "dev", ["vendetta.dev/workspace"]);
    await w.make("Service", "web", ["vendetta.dev/service"]);
    await w.make("Service", "db");
    await w.store.delete("Namespace", { name: "team" });
    await w.clock.advance(2000);
    const condition = async (type: string) => findCondition((await w.team()).status?.conditions, type);
    assert.equal((await w.team()).status?.phase, "Terminating");
    assert.deepEqual([await w.going("Service"), await w.going("Workspace"), await w.going("Lease"), await w.going("Event")], [[true], [false], [false], [false]], "Services first");
    assert.equal((await condition("NamespaceContentRemaining"))?.message, "Some resources are remaining: leases.coordination.k8s.io has 1 resource instances, services.vendetta.dev has 1 resource instances, workspaces.vendetta.dev has 1 resource instances");
    assert.equal((await condition("NamespaceFinalizersRemaining"))?.message, "Some content in the namespace has finalizers remaining: vendetta.dev/service in 1 resource instances, vendetta.dev/workspace in 1 resource instances");
    assert.equal((await condition("NamespaceDeletionContentFailure"))?.status, "False");
    await assert.rejects(w.make("Service", "late"), (error) => error instanceof StatusError && error.reason === "Forbidden" && error.details.causes?.[0]?.reason === "NamespaceTerminating");

    await w.finish("Service", "web");
    await w.clock.advance(2000);
    assert.deepEqual([await w.going("Workspace"), await w.going("Lease"), await w.going("Event")], [[true], [false], [false]], "then Workspaces");
    await w.finish("Workspace", "dev");
    await w.clock.advance(2000);
    await assert.rejects(w.team(), /not found/);
    for (const kind of ["Lease", "Event"] as const) assert.deepEqual((await w.store.list(kind, { namespace: "team" })).items, [], kind);
    await w.end();
  });

  it("does not wait on an object that it waits for already to say it anew", async () => {
    const w = await world();
    await w.make("Lease", "l", ["example.com/x"]);
    await w.store.delete("Namespace", { name: "team" });
    await w.clock.advance(2000);
    const { resourceVersion } = (await w.team()).metadata;
    await w.clock.advance(5000);
    assert.equal((await w.team()).metadata.resourceVersion, resourceVersion, "a settled status is not written again");
    await w.end();
  });

  it("tells what could not be deleted, tries again, and lets that hold up nothing else", async () => {
    let broken = true;
    const w = await world((store) => ({
      delete: (kind, ref, ...rest) => (broken && kind === "Lease" && ref.name === "bad" ? Promise.reject(new StatusError("InternalError", "no luck")) : store.delete(kind, ref, ...rest)),
    }));
    await w.make("Lease", "bad");
    await w.make("Lease", "good");
    await w.store.delete("Namespace", { name: "team" });
    await w.clock.advance(1000);
    assert.deepEqual((await w.store.list("Lease", { namespace: "team" })).items.map((each) => each.metadata.name), ["bad"]);
    const failure = findCondition((await w.team()).status?.conditions, "NamespaceDeletionContentFailure");
    assert.deepEqual([failure?.status, failure?.reason, failure?.message], ["True", "ContentDeletionFailed", "Failed to delete all resource types, 1 remaining: no luck"]);
    broken = false;
    await w.clock.advance(2000);
    await assert.rejects(w.team(), /not found/);
    await w.end();
  });

  it("keeps finalizers of others until they have taken them off", async () => {
    const w = await world();
    await w.store.patch("Namespace", { name: "team" }, { type: "merge", patch: { metadata: { finalizers: ["vendetta.dev/namespace", "example.com/x"] } } });
    await w.store.delete("Namespace", { name: "team" });
    await w.clock.advance(2000);
    assert.deepEqual((await w.team()).metadata.finalizers, ["example.com/x"]);
    await w.end();
  });
});

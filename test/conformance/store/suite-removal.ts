import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Store } from "../../../src/store/store.ts";
import { namespace, service, status, withStore, workspace, type MakeStore } from "./fixture.ts";

const ref = { namespace: "default", name: "dev" };

export function removalTests(make: MakeStore): void {
  const it = (name: string, body: (store: Store) => Promise<void>) => withStore(make, name, body);

  describe("delete", () => {
    it("without finalizers removes the object; the name is free again, for another object", async (store) => {
      const made = await store.create("Workspace", workspace("dev"));
      const last = await store.delete("Workspace", ref);
      assert.equal(last.metadata.uid, made.metadata.uid);
      await assert.rejects(store.get("Workspace", ref), status("NotFound"));
      await assert.rejects(store.delete("Workspace", ref), status("NotFound", 'workspaces.vendetta.dev "dev" not found'));
      const again = await store.create("Workspace", workspace("dev"));
      assert.notEqual(again.metadata.uid, made.metadata.uid);
      assert.ok(Number(again.metadata.resourceVersion) > Number(made.metadata.resourceVersion));
    });

    it("with finalizers asks for it once; the object goes with the last of them", async (store) => {
      await store.create("Workspace", workspace("dev", { metadata: { finalizers: ["vendetta.dev/a", "vendetta.dev/b"] } }));
      const going = await store.delete("Workspace", ref);
      assert.ok(going.metadata.deletionTimestamp);
      assert.equal(going.metadata.generation, 2);
      assert.deepEqual(await store.delete("Workspace", ref), going);
      const half = await store.update("Workspace", { ...going, metadata: { ...going.metadata, finalizers: ["vendetta.dev/b"] } });
      assert.equal(half.metadata.deletionTimestamp, going.metadata.deletionTimestamp);
      assert.deepEqual(await store.get("Workspace", ref), half);
      const last = await store.update("Workspace", { ...half, metadata: { ...half.metadata, finalizers: [] } });
      assert.equal(last.metadata.uid, going.metadata.uid);
      await assert.rejects(store.get("Workspace", ref), status("NotFound"));
    });

    it("a patch that takes the last finalizer removes it too", async (store) => {
      await store.create("Workspace", workspace("dev", { metadata: { finalizers: ["vendetta.dev/a"] } }));
      await store.delete("Workspace", ref);
      await store.patch("Workspace", ref, { type: "merge", patch: { metadata: { finalizers: null } } });
      await assert.rejects(store.get("Workspace", ref), status("NotFound"));
    });

    it("no finalizer can be added, and deletion not be taken back, once it was asked for", async (store) => {
      await store.create("Workspace", workspace("dev", { metadata: { finalizers: ["vendetta.dev/a"] } }));
      const going = await store.delete("Workspace", ref);
      await assert.rejects(store.patch("Workspace", ref, { type: "merge", patch: { metadata: { finalizers: ["vendetta.dev/a", "vendetta.dev/late"] } } }), status("Invalid", "metadata.finalizers", "vendetta.dev/late"));
      const { deletionTimestamp: _, ...metadata } = going.metadata;
      assert.deepEqual(await store.update("Workspace", { ...going, metadata }), going);
    });

    it("status can be written while it goes", async (store) => {
      await store.create("Workspace", workspace("dev", { metadata: { finalizers: ["vendetta.dev/a"] } }));
      await store.delete("Workspace", ref);
      assert.equal((await store.updateStatus("Workspace", workspace("dev", { status: { phase: "Deleting" } }))).status?.phase, "Deleting");
    });

    it("has preconditions", async (store) => {
      const { metadata } = await store.create("Workspace", workspace("dev"));
      await assert.rejects(store.delete("Workspace", ref, { uid: "another" }), status("Conflict", metadata.uid));
      await assert.rejects(store.delete("Workspace", ref, { resourceVersion: "1" }), status("Conflict"));
      await store.delete("Workspace", ref, { uid: metadata.uid, resourceVersion: metadata.resourceVersion });
    });

    it("in the foreground, or leaving orphans, holds the object for who carries that out", async (store) => {
      for (const [propagation, finalizer] of [["Foreground", "foregroundDeletion"], ["Orphan", "orphan"]] as const) {
        const made = await store.create("Workspace", workspace("dev"));
        const going = await store.delete("Workspace", ref, {}, { propagation });
        assert.deepEqual([going.metadata.finalizers, going.metadata.generation], [[finalizer], 2]);
        assert.ok(going.metadata.deletionTimestamp);
        assert.deepEqual(await store.delete("Workspace", ref, {}, { propagation }), going, "asked again, nothing changes");
        assert.deepEqual(await store.delete("Workspace", ref), going, "no wish changes no wish");
        await store.update("Workspace", { ...going, metadata: { ...going.metadata, finalizers: [] } });
        await assert.rejects(store.get("Workspace", ref), status("NotFound"));
        assert.equal(going.metadata.uid, made.metadata.uid);
      }
    });

    it("takes the last wish for its dependents, and leaves other finalizers alone", async (store) => {
      await store.create("Workspace", workspace("dev", { metadata: { finalizers: ["vendetta.dev/a"] } }));
      const first = await store.delete("Workspace", ref, {}, { propagation: "Foreground" });
      assert.deepEqual(first.metadata.finalizers, ["vendetta.dev/a", "foregroundDeletion"]);
      const second = await store.delete("Workspace", ref, {}, { propagation: "Orphan" });
      assert.deepEqual([second.metadata.finalizers, second.metadata.deletionTimestamp, second.metadata.generation], [["vendetta.dev/a", "orphan"], first.metadata.deletionTimestamp, 2]);
      assert.deepEqual((await store.delete("Workspace", ref, {}, { propagation: "Background", dryRun: true })).metadata.finalizers, ["vendetta.dev/a"]);
      assert.deepEqual((await store.get("Workspace", ref)).metadata.finalizers, ["vendetta.dev/a", "orphan"]);
      assert.deepEqual((await store.delete("Workspace", ref, {}, { propagation: "Background" })).metadata.finalizers, ["vendetta.dev/a"]);
    });

    it("in the background after all lets go at once of what only waited for dependents", async (store) => {
      await store.create("Workspace", workspace("dev"));
      await store.delete("Workspace", ref, {}, { propagation: "Foreground" });
      assert.equal((await store.delete("Workspace", ref, {}, { propagation: "Background" })).metadata.finalizers, undefined);
      await assert.rejects(store.get("Workspace", ref), status("NotFound"));
    });

    it("with dryRun removes nothing", async (store) => {
      const made = await store.create("Workspace", workspace("dev"));
      await store.delete("Workspace", ref, {}, { dryRun: true });
      assert.deepEqual(await store.get("Workspace", ref), made);
    });

    it("a namespace that goes takes nothing new in", async (store) => {
      await store.create("Namespace", namespace("room", { finalizers: ["vendetta.dev/content"] }));
      await store.create("Workspace", workspace("dev", { metadata: { namespace: "room" } }));
      await store.delete("Namespace", { name: "room" });
      await assert.rejects(store.create("Workspace", workspace("new", { metadata: { namespace: "room" } })), status("Forbidden", "unable to create new content in namespace room because it is being terminated"));
      assert.equal((await store.updateStatus("Workspace", workspace("dev", { metadata: { namespace: "room" }, status: { phase: "Deleting" } }))).status?.phase, "Deleting");
    });

    it("does not take the namespaces that a cluster always has", async (store) => {
      await store.create("Namespace", namespace("kube-system"));
      for (const name of ["default", "kube-system", "kube-public"]) await assert.rejects(store.delete("Namespace", { name }), status("Forbidden", `namespaces "${name}" is forbidden: this namespace may not be deleted`));
      await store.get("Namespace", { name: "kube-system" });
    });

    it("a Service that goes frees its port and its place in the dependencies", async (store) => {
      await store.create("Service", service("a", { port: 1, dependsOn: [{ name: "b" }] }, { finalizers: ["vendetta.dev/x"] }));
      await store.delete("Service", { namespace: "default", name: "a" });
      await store.create("Service", service("b", { port: 1, dependsOn: [{ name: "a" }] }));
    });
  });
}

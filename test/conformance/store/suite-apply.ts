import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ManagedFieldsEntry } from "../../../src/api/apply/managers.ts";
import type { AnyObject } from "../../../src/api/registry.ts";
import { StatusError } from "../../../src/api/status-error.ts";
import type { PatchOptions, Store } from "../../../src/store/store.ts";
import { service, status, withStore, workspace, type MakeStore, type Skips } from "./fixture.ts";

const ref = { namespace: "default", name: "web" };
const apiVersion = "vendetta.dev/v1alpha1";

/** What a manager wants of the Service "web". */
const wish = (spec?: object, metadata: object = {}) => ({ apiVersion, kind: "Service", metadata: { ...ref, ...metadata }, ...(spec && { spec }) });
const whole = { workspace: "dev", command: ["run"] };

const apply = (store: Store, fieldManager: string, patch: object, { force, ...options }: PatchOptions & { readonly force?: boolean } = {}) => store.patch("Service", ref, { type: "apply", patch, force }, { fieldManager, ...options });

/** Who is on record: `name operation[ subresource]`, in order. */
const managers = (object: AnyObject) => ((object.metadata.managedFields ?? []) as ManagedFieldsEntry[]).map(({ manager, operation, subresource }) => [manager, operation, ...(subresource === undefined ? [] : [subresource])].join(" "));
const fieldsOf = (object: AnyObject, name: string) => ((object.metadata.managedFields ?? []) as ManagedFieldsEntry[]).find(({ manager }) => manager === name)?.fieldsV1;

/** Applying, and who owns which field after each kind of write. */
export function applyTests(make: MakeStore, skips: Skips): void {
  const it = (name: string, body: (store: Store) => Promise<void>, skip?: string) => withStore(make, name, body, skip);

  describe("apply", () => {
    it("makes the object, says so, and puts its manager on record", async (store) => {
      let made = 0;
      const created = () => made++;
      const object = await apply(store, "a", wish({ ...whole, dependsOn: [{ name: "db" }] }, { labels: { app: "x" } }), { created });
      assert.equal(made, 1);
      assert.deepEqual([object.metadata.generation, object.spec.restartPolicy, object.spec.dependsOn], [1, "Always", [{ name: "db", condition: "Ready" }]]);
      assert.deepEqual(await store.get("Service", ref), object);
      const [entry, ...others] = object.metadata.managedFields as ManagedFieldsEntry[];
      assert.deepEqual(others, []);
      assert.deepEqual({ ...entry, time: undefined }, {
        manager: "a", operation: "Apply", apiVersion, time: undefined, fieldsType: "FieldsV1",
        fieldsV1: { "f:metadata": { "f:labels": { "f:app": {} } }, "f:spec": { "f:command": {}, "f:dependsOn": { 'k:{"name":"db"}': { ".": {}, "f:name": {} } }, "f:workspace": {} } },
      });
      assert.ok(entry!.time! >= object.metadata.creationTimestamp);
      assert.ok(Object.isFrozen(entry!.fieldsV1));
      await apply(store, "a", wish(whole), { created });
      assert.equal(made, 1);
    });

    test("of the same makes no version and moves no time", { timeout: 20_000, ...(skips.clock !== undefined && { skip: skips.clock }) }, async () => {
      const { store, advance, close } = await make({});
      try {
        const first = await apply(store, "a", wish(whole));
        await advance?.(60_000);
        assert.deepEqual(await apply(store, "a", wish(whole)), first);
        assert.deepEqual((await store.list("Service")).resourceVersion, first.metadata.resourceVersion);
        const second = await apply(store, "a", wish({ ...whole, port: 1 }));
        assert.ok((second.metadata.managedFields as ManagedFieldsEntry[])[0]!.time! > (first.metadata.managedFields as ManagedFieldsEntry[])[0]!.time!);
      } finally {
        await close();
      }
    });

    it("merges: what others own stays, what is named no more goes", async (store) => {
      await apply(store, "a", wish({ ...whole, env: { A: "1", B: "1" }, dependsOn: [{ name: "db" }] }));
      await apply(store, "b", wish({ env: { C: "2" }, dependsOn: [{ name: "cache", condition: "Started" }] }));
      const object = await apply(store, "a", wish({ ...whole, env: { A: "3" } }));
      assert.deepEqual(object.spec.env, { A: "3", C: "2" });
      assert.deepEqual(object.spec.dependsOn, [{ name: "cache", condition: "Started" }]);
      assert.equal(object.metadata.generation, 3);
      assert.deepEqual(managers(object).sort(), ["a Apply", "b Apply"]);
    });

    it("meets another manager: a Conflict with its causes, nothing stored; force takes the field", async (store) => {
      const before = await apply(store, "a", wish({ ...whole, port: 1 }));
      await assert.rejects(apply(store, "b", wish({ workspace: "other", port: 2 })), (error) => {
        status("Conflict", "Apply failed with 2 conflicts: conflicts with \"a\":\n- .spec.port\n- .spec.workspace")(error);
        assert.deepEqual((error as StatusError).details.causes, [
          { reason: "FieldManagerConflict", message: 'conflict with "a"', field: ".spec.port" },
          { reason: "FieldManagerConflict", message: 'conflict with "a"', field: ".spec.workspace" },
        ]);
        return true;
      });
      assert.deepEqual(await store.get("Service", ref), before);
      const after = await apply(store, "b", wish({ workspace: "dev", port: 2 }), { force: true });
      assert.equal(after.spec.port, 2);
      assert.deepEqual([fieldsOf(after, "a"), fieldsOf(after, "b")], [{ "f:spec": { "f:command": {}, "f:workspace": {} } }, { "f:spec": { "f:port": {}, "f:workspace": {} } }]);
      await assert.rejects(apply(store, "a", wish({ ...whole, port: 1 })), status("Conflict", 'conflict with "b": .spec.port'));
    });

    it("with dryRun answers and stores nothing", async (store) => {
      let made = 0;
      const would = await apply(store, "a", wish(whole), { dryRun: true, created: () => made++ });
      assert.deepEqual([would.spec.restartPolicy, made, managers(would)], ["Always", 1, ["a Apply"]]);
      await assert.rejects(store.get("Service", ref), status("NotFound"));
      const stored = await apply(store, "a", wish(whole));
      assert.equal((await apply(store, "a", wish({ ...whole, port: 1 }), { dryRun: true })).spec.port, 1);
      assert.deepEqual(await store.get("Service", ref), stored);
    });

    it("of the status writes and owns the status only, and makes no object", async (store) => {
      const told = { ...wish({ port: 9 }), status: { phase: "Running", conditions: [{ type: "Ready", status: "True", reason: "Up", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }] } };
      await assert.rejects(apply(store, "probe", told, { subresource: "status" }), status("NotFound", 'services.vendetta.dev "web" not found'));
      await apply(store, "a", { ...wish(whole), status: { phase: "Failed" } });
      const object = await apply(store, "probe", told, { subresource: "status" });
      assert.deepEqual([object.spec.port, object.status?.phase, object.metadata.generation], [undefined, "Running", 1]);
      assert.deepEqual(managers(object).sort(), ["a Apply", "probe Apply status"]);
      assert.deepEqual(Object.keys(fieldsOf(object, "probe")!["f:status"]!), ["f:conditions", "f:phase"]);
      assert.deepEqual(await apply(store, "probe", told, { subresource: "status" }), object);
      const other = { ...told, status: { phase: "Failed" } };
      await assert.rejects(apply(store, "b", other, { subresource: "status" }), status("Conflict", 'conflict with "probe" with subresource "status": .status.phase'));
    });

    it("leaves nobody owning a map of labels that has become empty", async (store) => {
      await apply(store, "a", wish(whole));
      await store.patch("Service", ref, { type: "merge", patch: { metadata: { labels: { x: "1" } } } }, { fieldManager: "b" });
      await apply(store, "a", wish(whole, { labels: { x: "2" } }), { force: true });
      const object = await apply(store, "a", wish(whole));
      assert.equal(object.metadata.labels, undefined);
      assert.deepEqual(managers(object), ["a Apply"]);
    });

    it("keeps the preconditions in the configuration, also where there is no object", async (store) => {
      const made = await apply(store, "a", wish(whole));
      await assert.rejects(apply(store, "a", wish(whole, { uid: "another" })), status("Conflict", "another object"));
      await assert.rejects(apply(store, "a", wish({ ...whole, port: 1 }, { resourceVersion: "1" })), status("Conflict", "the object has been modified"));
      const { uid, resourceVersion } = made.metadata;
      assert.equal((await apply(store, "a", wish({ ...whole, port: 1 }, { uid, resourceVersion }))).spec.port, 1);
      await store.delete("Service", ref);
      await assert.rejects(apply(store, "a", wish(whole, { uid })), status("Conflict", "no existing object was found"));
      await assert.rejects(apply(store, "a", wish(whole, { resourceVersion })), status("Conflict", "no existing object was found"));
      await assert.rejects(store.get("Service", ref), status("NotFound"));
    });

    it("is refused as a create or an update would be, and stores nothing", async (store) => {
      const refused = (patch: object, ...words: readonly [string, ...string[]]) => assert.rejects(apply(store, "a", patch), status(...words));
      await refused(wish({ ...whole, bogus: 1 }), "Invalid", "spec.bogus");
      await refused(wish({ workspace: "dev" }), "Invalid", "spec.command");
      await refused(wish({ ...whole, dependsOn: [{ name: "a" }, { name: "a" }] }), "Invalid", 'duplicate entries for key [name="a"]');
      await refused(wish({ ...whole, dependsOn: [{}] }), "Invalid", "spec.dependsOn[0].name");
      await refused(wish({ ...whole, dependsOn: "db" }), "Invalid", "spec.dependsOn");
      await refused(wish({ ...whole, dependsOn: [{ name: "web" }] }), "Invalid", "dependency cycle");
      await refused(wish(whole, { managedFields: [] }), "BadRequest", "metadata.managedFields must be nil");
      await refused(wish(whole, { name: "other" }), "BadRequest", "name");
      await refused({ ...wish(whole), apiVersion: "v1" }, "BadRequest", "Incorrect version specified in apply patch. Specified patch version: v1, expected: vendetta.dev/v1alpha1");
      await refused({ ...wish(whole), kind: "Workspace" }, "BadRequest", "kind");
      await refused(JSON.parse(JSON.stringify(wish(whole)).replace('"workspace"', '"__proto__":{"x":1},"workspace"')) as object, "BadRequest", "__proto__");
      await assert.rejects(store.patch("Service", ref, { type: "apply", patch: wish(whole) }), status("Invalid", "fieldManager: Required value: is required for apply patch"));
      await assert.rejects(store.patch("Service", { namespace: "none", name: "web" }, { type: "apply", patch: wish(whole, { namespace: "none" }) }, { fieldManager: "a" }), status("NotFound", 'namespaces "none" not found'));
      assert.deepEqual((await store.list("Service")).items, []);
    });

    it("takes a null for a field that is not named", async (store) => {
      const object = await apply(store, "a", { ...wish({ ...whole, port: null }, { creationTimestamp: null, managedFields: null }), status: null });
      assert.deepEqual(fieldsOf(object, "a"), { "f:spec": { "f:command": {}, "f:workspace": {} } });
    });

    it("of many managers at once loses none", async (store) => {
      await apply(store, "a", wish(whole));
      await Promise.all(Array.from({ length: 20 }, (_, i) => apply(store, `m${i}`, wish({ env: { [`V${i}`]: "x" } }))));
      const object = await store.get("Service", ref);
      assert.deepEqual([Object.keys(object.spec.env).length, managers(object).length], [20, 21]);
    });
  });

  describe("other writes by a named manager", () => {
    it("own what they add and change: create, update, merge and JSON patch", async (store) => {
      const made = await store.create("Service", service("web", { env: { A: "1" } }), { fieldManager: "c" });
      assert.deepEqual(managers(made), ["c Update"]);
      // As in Kubernetes, who creates owns the defaults too.
      assert.deepEqual(fieldsOf(made, "c")!["f:spec"]!["f:restartPolicy"], {});
      const updated = await store.update("Service", { ...made, spec: { ...made.spec, env: { A: "2" } } }, { fieldManager: "u" });
      assert.deepEqual(fieldsOf(updated, "u"), { "f:spec": { "f:env": { "f:A": {} } } });
      assert.equal(fieldsOf(updated, "c")!["f:spec"]!["f:env"]!["f:A"], undefined);
      const merged = await store.patch("Service", ref, { type: "merge", patch: { metadata: { labels: { l: "1" } } } }, { fieldManager: "m" });
      assert.deepEqual(fieldsOf(merged, "m"), { "f:metadata": { "f:labels": { "f:l": {}, ".": {} } } });
      const patched = await store.patch("Service", ref, { type: "json", patch: [{ op: "remove", path: "/metadata/labels/l" }, { op: "add", path: "/spec/port", value: 1 }] }, { fieldManager: "j" });
      assert.deepEqual([fieldsOf(patched, "j"), fieldsOf(patched, "m")], [{ "f:spec": { "f:port": {} } }, undefined]);
      const told = await store.updateStatus("Service", { ...patched, status: { phase: "Running" } }, { fieldManager: "s" });
      assert.deepEqual([managers(told).includes("s Update status"), fieldsOf(told, "s")], [true, { "f:status": { "f:phase": {}, ".": {} } }]);
    });

    it("that change nothing make no version", async (store) => {
      const made = await store.create("Service", service("web"), { fieldManager: "c" });
      assert.deepEqual(await store.update("Service", service("web"), { fieldManager: "u" }), made);
      assert.deepEqual(await store.patch("Service", ref, { type: "merge", patch: {} }, { fieldManager: "u" }), made);
    });

    it("may move fields between managers, as kubectl does when it goes over to server-side apply", async (store) => {
      const made = await store.create("Service", service("web", { port: 1 }), { fieldManager: "kubectl-client-side-apply" });
      const [entry] = made.metadata.managedFields as ManagedFieldsEntry[];
      const moved = { ...entry, manager: "kubectl", operation: "Apply" };
      const after = await store.patch("Service", ref, { type: "json", patch: [{ op: "replace", path: "/metadata/managedFields", value: [moved] }, { op: "replace", path: "/metadata/resourceVersion", value: made.metadata.resourceVersion }] }, { fieldManager: "kubectl" });
      assert.deepEqual(after.metadata.managedFields, [moved]);
      const applied = await apply(store, "kubectl", wish(whole));
      assert.deepEqual([applied.spec.port, managers(applied)], [undefined, ["kubectl Apply"]]);
    });

    it("forget all managers with an empty list, and then track none until the next apply", async (store) => {
      await apply(store, "a", wish({ ...whole, port: 1 }));
      const cleared = await store.patch("Service", ref, { type: "merge", patch: { metadata: { managedFields: [] } } }, { fieldManager: "m" });
      assert.equal(cleared.metadata.managedFields, undefined);
      const later = await store.patch("Service", ref, { type: "merge", patch: { spec: { port: 2 } } }, { fieldManager: "m" });
      assert.equal(later.metadata.managedFields, undefined);
      await assert.rejects(apply(store, "a", wish({ ...whole, port: 1 })), status("Conflict", 'conflict with "before-first-apply" using vendetta.dev/v1alpha1: .spec.port'));
      assert.deepEqual(managers(await apply(store, "a", wish(whole))), ["a Apply", "before-first-apply Update"]);
    });

    it("that leave managedFields out, or send what cannot be read, keep them", async (store) => {
      const object = await apply(store, "a", wish(whole));
      const { managedFields, ...metadata } = object.metadata;
      const updated = await store.update("Service", { ...object, metadata: { ...metadata, labels: { l: "1" } } }, { fieldManager: "u" });
      assert.deepEqual(managers(updated), ["a Apply", "u Update"]);
      const again = await store.update("Service", { ...updated, metadata: { ...updated.metadata, managedFields: [{ manager: "thief", operation: "Steal" }] } }, { fieldManager: "u" });
      assert.deepEqual(again.metadata.managedFields, updated.metadata.managedFields);
      assert.deepEqual(managedFields, (updated.metadata.managedFields as object[]).slice(0, 1));
    });

    it("are kept apart up to 10, the oldest become one", async (store) => {
      await apply(store, "a", wish(whole));
      for (let i = 0; i < 13; i++) await store.patch("Service", ref, { type: "merge", patch: { spec: { env: { [`V${i}`]: "x" } } } }, { fieldManager: `u${String(i).padStart(2, "0")}` });
      const names = managers(await store.get("Service", ref));
      assert.deepEqual([names.length, names.includes("a Apply"), names.includes("ancient-changes Update"), names.includes("u12 Update")], [11, true, true, true]);
    });

    it("of controllers, which name no manager, are nobody's and stay when a neighbour goes", async (store) => {
      const made = await store.create("Workspace", workspace("dev"));
      assert.equal(made.metadata.managedFields, undefined);
      const place = { namespace: "default", name: "dev" };
      const configuration = (finalizers?: readonly string[]) => ({ apiVersion, kind: "Workspace", metadata: { ...place, ...(finalizers && { finalizers }) } });
      const applied = await store.patch("Workspace", place, { type: "apply", patch: configuration(["x/mine"]) }, { fieldManager: "a" });
      const guarded = await store.update("Workspace", { ...applied, metadata: { ...applied.metadata, finalizers: [...applied.metadata.finalizers!, "vendetta.dev/workspace"] } });
      assert.deepEqual(guarded.metadata.managedFields, applied.metadata.managedFields);
      assert.deepEqual((await store.patch("Workspace", place, { type: "apply", patch: configuration() }, { fieldManager: "a" })).metadata.finalizers, ["vendetta.dev/workspace"]);
    }, skips.unnamedWriters);
  });
}

import assert from "node:assert/strict";
import { describe } from "node:test";
import { StatusError } from "../../../src/api/status-error.ts";
import type { Store } from "../../../src/store/store.ts";
import { namespace, service, status, withStore, workspace, type MakeStore, type Skips } from "./fixture.ts";

export function writeTests(make: MakeStore, skips: Skips): void {
  const it = (name: string, body: (store: Store) => Promise<void>, skip?: string) => withStore(make, name, body, skip);

  describe("create", () => {
    it("a new store has the namespace default", async (store) => {
      assert.equal((await store.get("Namespace", { name: "default" })).metadata.name, "default");
      assert.equal((await store.list("Namespace")).items.length, 1);
    });

    it("sets what the server owns, fills in defaults, drops the status", async (store) => {
      const given = workspace("dev", { metadata: { uid: "mine", resourceVersion: "77", generation: 9, creationTimestamp: "2001-01-01T00:00:00Z", deletionTimestamp: "2001-01-01T00:00:00Z", labels: { a: "b" } }, status: { phase: "Running" } });
      const made = await store.create("Workspace", given);
      assert.match(made.metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
      assert.match(made.metadata.resourceVersion, /^[1-9][0-9]*$/);
      assert.notEqual(made.metadata.resourceVersion, "77");
      assert.equal(made.metadata.generation, 1);
      assert.match(made.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.notEqual(made.metadata.creationTimestamp, "2001-01-01T00:00:00Z");
      assert.equal(made.metadata.deletionTimestamp, undefined);
      assert.deepEqual(made.metadata.labels, { a: "b" });
      assert.equal(made.status, undefined);
      assert.equal(made.spec.state, "Running");
      assert.deepEqual(await store.get("Workspace", { namespace: "default", name: "dev" }), made);
    });

    it("ignores a status that would not be valid", async (store) => {
      assert.equal((await store.create("Workspace", workspace("dev", { status: { phase: "Nonsense" } }))).status, undefined);
    });

    it("refuses a second of the same name, and says so before anything else about it", async (store) => {
      await store.create("Service", service("web", { port: 80 }));
      await assert.rejects(store.create("Service", service("web", { port: 80 })), status("AlreadyExists", 'services.vendetta.dev "web" already exists'));
    });

    it("the same name lives in another namespace, and as another kind", async (store) => {
      await store.create("Namespace", namespace("other"));
      await store.create("Workspace", workspace("dev"));
      await store.create("Workspace", workspace("dev", { metadata: { namespace: "other" } }));
      await store.create("Service", service("dev"));
      assert.equal((await store.list("Workspace")).items.length, 2);
    });

    it("makes a name from generateName", async (store) => {
      const made = await Promise.all([1, 2, 3].map(() => store.create("Workspace", workspace("x", { metadata: { name: undefined, generateName: "job-" } }))));
      for (const { metadata } of made) assert.match(metadata.name, /^job-[a-z0-9]{5}$/);
      assert.equal(new Set(made.map(({ metadata }) => metadata.name)).size, 3);
      assert.equal(made[0]!.metadata.generateName, "job-");
      const kept = await store.patch("Workspace", { namespace: "default", name: made[0]!.metadata.name }, { type: "merge", patch: { metadata: { labels: { a: "1" } } } });
      assert.equal(kept.metadata.generateName, "job-", "as it was made");
      const long = await store.create("Workspace", workspace("x", { metadata: { name: undefined, generateName: "a".repeat(100) } }));
      assert.match(long.metadata.name, /^a{58}[a-z0-9]{5}$/);
      await assert.rejects(store.create("Workspace", workspace("x", { metadata: { name: undefined, generateName: "No_" } })), status("Invalid", "metadata.generateName"));
    });

    it("needs its namespace", async (store) => {
      await assert.rejects(store.create("Workspace", workspace("dev", { metadata: { namespace: "nowhere" } })), status("NotFound", 'namespaces "nowhere" not found'));
    });

    it("says everything that is wrong at once", async (store) => {
      const bad = workspace("Bad_Name", { spec: { provider: "dokcer", bogus: 1 } });
      await assert.rejects(store.create("Workspace", bad), (error: unknown) => {
        status("Invalid", "metadata.name", "spec.provider", "spec.bogus: unknown field")(error);
        assert.deepEqual((error as StatusError).details.causes?.map(({ field }) => field).sort(), ["metadata.name", "spec.bogus", "spec.provider"]);
        return true;
      });
    });

    it("refuses rules broken among several objects", async (store) => {
      await store.create("Service", service("a", { dependsOn: [{ name: "b" }], port: 3000 }));
      await assert.rejects(store.create("Service", service("b", { dependsOn: [{ name: "a" }] })), status("Invalid", "spec.dependsOn[0].name", "b → a → b"));
      await assert.rejects(store.create("Service", service("c", { port: 3000 })), status("Invalid", "spec.port", 'already used by Service "a"'));
    });

    it("two writes at once cannot both pass a rule that one of them breaks for the other", async (store) => {
      const results = await Promise.allSettled([store.create("Service", service("a", { port: 1 })), store.create("Service", service("b", { port: 1 }))]);
      assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    });

    it("bounds an object's size", async (store) => {
      const huge = workspace("dev", { metadata: { annotations: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`a${i}`, "x".repeat(100_000)])) } });
      await assert.rejects(store.create("Workspace", huge), status("RequestEntityTooLarge"));
    });

    it("with dryRun answers and stores nothing", async (store) => {
      const { resourceVersion } = await store.list("Workspace");
      const made = await store.create("Workspace", workspace("dev"), { dryRun: true });
      assert.equal(made.spec.imagePullPolicy, "IfNotPresent");
      await assert.rejects(store.get("Workspace", { namespace: "default", name: "dev" }), status("NotFound"));
      assert.equal((await store.list("Workspace")).resourceVersion, resourceVersion);
      await assert.rejects(store.create("Workspace", workspace("dev", { spec: { bogus: 1 } }), { dryRun: true }), status("Invalid"));
    });

    it("keeps and hands out nothing that the caller can change", async (store) => {
      const labels: Record<string, string> = { a: "b" };
      const made = await store.create("Workspace", workspace("dev", { metadata: { labels, annotations: undefined } }));
      labels["a"] = "changed";
      assert.ok(!Object.isFrozen(labels));
      const read = await store.get("Workspace", { namespace: "default", name: "dev" });
      assert.deepEqual(read.metadata.labels, { a: "b" });
      assert.ok(!("annotations" in read.metadata));
      for (const part of [made, made.metadata, made.metadata.labels, made.spec, made.spec.env, read, read.spec.mounts]) assert.ok(Object.isFrozen(part));
    }, skips.inProcess);

    for (const key of ["__proto__", "constructor"]) {
      it(`refuses ${key} as a field`, async (store) => {
        const bad = JSON.parse(`{"apiVersion":"vendetta.dev/v1alpha1","kind":"Workspace","metadata":{"name":"x","namespace":"default","labels":{"${key}":"x"}},"spec":{"provider":"host"}}`) as never;
        await assert.rejects(store.create("Workspace", bad), status("BadRequest", key));
      });
    }
  });

  describe("update", () => {
    it("replaces spec, labels, annotations, finalizers, owner references; the status stays", async (store) => {
      const made = await store.create("Workspace", workspace("dev", { metadata: { labels: { a: "1" }, annotations: { n: "1" } } }));
      await store.updateStatus("Workspace", workspace("dev", { status: { phase: "Running" } }));
      const ownerReferences = [{ apiVersion: "v1", kind: "Namespace", name: "default", uid: "u" }];
      const updated = await store.update("Workspace", workspace("dev", { spec: { image: "node:22" }, metadata: { labels: { b: "2" }, finalizers: ["vendetta.dev/x"], ownerReferences }, status: { phase: "Failed" } }));
      assert.equal(updated.spec.image, "node:22");
      assert.deepEqual(updated.metadata.labels, { b: "2" });
      assert.equal(updated.metadata.annotations, undefined);
      assert.deepEqual(updated.metadata.finalizers, ["vendetta.dev/x"]);
      assert.deepEqual(updated.metadata.ownerReferences, ownerReferences);
      assert.deepEqual(updated.status, { phase: "Running" });
      assert.equal(updated.metadata.uid, made.metadata.uid);
      assert.equal(updated.metadata.creationTimestamp, made.metadata.creationTimestamp);
      assert.ok(Number(updated.metadata.resourceVersion) > Number(made.metadata.resourceVersion));
    });

    it("raises the generation when the spec changed, and only then", async (store) => {
      await store.create("Workspace", workspace("dev"));
      assert.equal((await store.update("Workspace", workspace("dev", { metadata: { labels: { a: "1" } } }))).metadata.generation, 1);
      assert.equal((await store.updateStatus("Workspace", workspace("dev", { status: { phase: "Running" } }))).metadata.generation, 1);
      assert.equal((await store.update("Workspace", workspace("dev", { spec: { env: { A: "1" } } }))).metadata.generation, 2);
    });

    it("that changes nothing makes no version", async (store) => {
      const made = await store.create("Workspace", workspace("dev", { metadata: { labels: { a: "1" } } }));
      const { resourceVersion } = await store.list("Workspace");
      assert.deepEqual(await store.update("Workspace", workspace("dev", { metadata: { labels: { a: "1" }, annotations: {}, finalizers: [] }, spec: { state: "Running" } })), made);
      assert.deepEqual(await store.update("Workspace", made), made);
      assert.equal((await store.list("Workspace")).resourceVersion, resourceVersion);
    });

    it("is refused when it was made from an older version, or of another object", async (store) => {
      const made = await store.create("Workspace", workspace("dev"));
      await store.update("Workspace", workspace("dev", { spec: { env: { A: "1" } } }));
      await assert.rejects(store.update("Workspace", { ...made, spec: { ...made.spec, env: { A: "2" } } }), status("Conflict", 'Operation cannot be fulfilled on workspaces.vendetta.dev "dev"', "apply your changes to the latest version"));
      await assert.rejects(store.update("Workspace", workspace("dev", { metadata: { uid: "another" } })), status("Conflict"));
      const current = await store.get("Workspace", { namespace: "default", name: "dev" });
      assert.equal((await store.update("Workspace", { ...current, spec: { ...current.spec, env: {} } })).metadata.generation, 3);
    });

    it("of many at once from the same version, one wins", async (store) => {
      const made = await store.create("Workspace", workspace("dev"));
      const results = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => store.update("Workspace", { ...made, spec: { ...made.spec, env: { N: String(i) } } })));
      assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    });

    it("checks the new state as create does, and what may not change", async (store) => {
      await store.create("Workspace", workspace("dev"));
      await assert.rejects(store.update("Workspace", workspace("dev", { spec: { bogus: 1 } })), status("Invalid", "spec.bogus"));
      await assert.rejects(store.update("Workspace", workspace("dev", { spec: { provider: "lxc" } })), status("Invalid", "spec.provider: cannot be changed"));
      await assert.rejects(store.update("Workspace", workspace("none")), status("NotFound", 'workspaces.vendetta.dev "none" not found'));
    });

    it("with dryRun answers and stores nothing", async (store) => {
      const made = await store.create("Workspace", workspace("dev"));
      const would = await store.update("Workspace", workspace("dev", { spec: { env: { A: "1" } } }), { dryRun: true });
      assert.deepEqual([would.spec.env, would.metadata.generation], [{ A: "1" }, 2]);
      assert.deepEqual(await store.get("Workspace", { namespace: "default", name: "dev" }), made);
    });
  });

  describe("updateStatus", () => {
    it("replaces the status and nothing else", async (store) => {
      const made = await store.create("Workspace", workspace("dev", { metadata: { labels: { a: "1" } } }));
      const updated = await store.updateStatus("Workspace", workspace("dev", { metadata: { labels: { b: "2" } }, spec: { image: "other", bogus: 1 }, status: { phase: "Running", restarts: 1 } }));
      const { resourceVersion, managedFields } = updated.metadata;
      // Over HTTP every write has a manager.
      assert.deepEqual(updated, { ...made, metadata: { ...made.metadata, resourceVersion, ...(managedFields && { managedFields }) }, status: { phase: "Running", restarts: 1 } });
      assert.deepEqual((await store.updateStatus("Workspace", workspace("dev", { status: { phase: "Failed" } }))).status, { phase: "Failed" });
    });

    it("has the preconditions of update, and makes no version when nothing changes", async (store) => {
      const made = await store.create("Workspace", workspace("dev"));
      const first = await store.updateStatus("Workspace", { ...made, status: { phase: "Running" } });
      await assert.rejects(store.updateStatus("Workspace", { ...made, status: { phase: "Failed" } }), status("Conflict"));
      assert.deepEqual(await store.updateStatus("Workspace", { ...first, status: { phase: "Running" } }), first);
      await assert.rejects(store.updateStatus("Workspace", workspace("dev", { status: { phase: "Dancing" } })), status("Invalid", "status.phase"));
      await assert.rejects(store.updateStatus("Workspace", workspace("none", { status: {} })), status("NotFound"));
    });
  });

  describe("patch", () => {
    it("merges: null removes, objects merge, lists are replaced", async (store) => {
      await store.create("Workspace", workspace("dev", { metadata: { labels: { a: "1", b: "2" } }, spec: { env: { A: "1" }, mounts: [{ path: "/a", volume: "a" }] } }));
      const patched = await store.patch("Workspace", { namespace: "default", name: "dev" }, { type: "merge", patch: { metadata: { labels: { a: null, c: "3" } }, spec: { env: { B: "2" }, mounts: [] } } });
      assert.deepEqual(patched.metadata.labels, { b: "2", c: "3" });
      assert.deepEqual(patched.spec.env, { A: "1", B: "2" });
      assert.deepEqual(patched.spec.mounts, []);
      assert.equal(patched.metadata.generation, 2);
    });

    it("applies JSON patches whole or not at all", async (store) => {
      const ref = { namespace: "default", name: "dev" };
      const made = await store.create("Workspace", workspace("dev"));
      const patched = await store.patch("Workspace", ref, { type: "json", patch: [{ op: "test", path: "/spec/image", value: "node:20" }, { op: "replace", path: "/spec/image", value: "node:22" }, { op: "add", path: "/metadata/labels", value: { a: "1" } }] });
      assert.deepEqual([patched.spec.image, patched.metadata.labels], ["node:22", { a: "1" }]);
      await assert.rejects(store.patch("Workspace", ref, { type: "json", patch: [{ op: "replace", path: "/spec/image", value: "x" }, { op: "test", path: "/spec/state", value: "Stopped" }] }), status("Invalid", "operation 1"));
      await assert.rejects(store.patch("Workspace", ref, { type: "json", patch: [{ op: "remove", path: "/spec/none" }] }), status("Invalid", "/spec/none"));
      assert.deepEqual(await store.get("Workspace", ref), patched);
      assert.equal(patched.metadata.uid, made.metadata.uid);
    });

    it("of the status changes the status only, of the object all but the status", async (store) => {
      const ref = { namespace: "default", name: "dev" };
      await store.create("Workspace", workspace("dev"));
      const patch = { type: "merge", patch: { spec: { env: { A: "1" } }, status: { phase: "Running" } } } as const;
      const one = await store.patch("Workspace", ref, patch, { subresource: "status" });
      assert.deepEqual([one.spec.env, one.status], [{}, { phase: "Running" }]);
      const two = await store.patch("Workspace", ref, { type: "merge", patch: { ...patch.patch, status: { phase: "Failed" } } });
      assert.deepEqual([two.spec.env, two.status], [{ A: "1" }, { phase: "Running" }]);
    });

    it("takes a resourceVersion in it as a precondition", async (store) => {
      const ref = { namespace: "default", name: "dev" };
      const { metadata } = await store.create("Workspace", workspace("dev"));
      const patch = (resourceVersion: string, A: string) => ({ type: "merge", patch: { metadata: { resourceVersion }, spec: { env: { A } } } }) as const;
      await store.patch("Workspace", ref, patch(metadata.resourceVersion, "1"));
      await assert.rejects(store.patch("Workspace", ref, patch(metadata.resourceVersion, "2")), status("Conflict"));
    });

    it("cannot move an object, reach a prototype or break a rule", async (store) => {
      const ref = { namespace: "default", name: "dev" };
      const made = await store.create("Workspace", workspace("dev"));
      const refused = async (patch: unknown, reason: string, ...words: string[]) => assert.rejects(store.patch("Workspace", ref, { type: "merge", patch }), status(reason, ...words));
      await refused({ metadata: { name: "other" } }, "Invalid", "metadata.name");
      await refused({ metadata: { namespace: null } }, "Invalid", "metadata.namespace");
      await refused(JSON.parse('{"spec":{"__proto__":{"x":1}}}'), "BadRequest", "__proto__");
      await refused({ spec: { bogus: 1 } }, "Invalid", "spec.bogus");
      await assert.rejects(store.patch("Workspace", ref, { type: "json", patch: [{ op: "add", path: "/constructor/prototype/x", value: 1 }] }), status("BadRequest", "constructor"));
      await assert.rejects(store.patch("Workspace", { namespace: "default", name: "none" }, { type: "merge", patch: {} }), status("NotFound"));
      assert.deepEqual(await store.patch("Workspace", ref, { type: "merge", patch: {} }), made);
    });

    it("applies strategic merge patches to the kinds of Kubernetes, and to no other", async (store) => {
      const ref = { name: "room" };
      const made = await store.create("Namespace", namespace("room", { labels: { a: "1", b: "2" }, finalizers: ["example.com/a", "example.com/b"], ownerReferences: [{ apiVersion: "v1", kind: "Namespace", name: "x", uid: "u1" }] }));
      const patch = { metadata: { labels: { a: null, c: "3" }, "$deleteFromPrimitiveList/finalizers": ["example.com/a"], finalizers: ["example.com/c"], ownerReferences: [{ uid: "u1", controller: true }, { apiVersion: "v1", kind: "Namespace", name: "y", uid: "u2" }] } };
      const patched = await store.patch("Namespace", ref, { type: "strategic", patch });
      assert.deepEqual([patched.metadata.labels, patched.metadata.finalizers], [{ b: "2", c: "3" }, ["example.com/c", "example.com/b"]]);
      assert.deepEqual(patched.metadata.ownerReferences?.map(({ name, controller }) => [name, controller]), [["x", true], ["y", undefined]]);
      assert.deepEqual(await store.patch("Namespace", ref, { type: "strategic", patch: {} }), patched);
      await assert.rejects(store.patch("Namespace", ref, { type: "strategic", patch: { metadata: { resourceVersion: made.metadata.resourceVersion, labels: null } } }), status("Conflict"));
      await assert.rejects(store.patch("Namespace", ref, { type: "strategic", patch: { metadata: { ownerReferences: [{ name: "x" }] } } }), status("BadRequest", "has no uid"));
      await assert.rejects(store.patch("Namespace", ref, { type: "strategic", patch: { spec: { bogus: 1 } } }), status("Invalid", "spec.bogus"));
      await store.create("Workspace", workspace("dev"));
      await assert.rejects(store.patch("Workspace", { namespace: "default", name: "dev" }, { type: "strategic", patch: {} }), status("UnsupportedMediaType"));
    });

    it("of many at once loses none", async (store) => {
      const ref = { namespace: "default", name: "dev" };
      await store.create("Workspace", workspace("dev"));
      await Promise.all(Array.from({ length: 30 }, (_, i) => store.patch("Workspace", ref, { type: "merge", patch: { spec: { env: { [`V${i}`]: "x" } } } })));
      assert.equal(Object.keys((await store.get("Workspace", ref)).spec.env).length, 30);
    });
  });
}

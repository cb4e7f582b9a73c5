import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededRandom } from "../../src/base/random.ts";
import { systemClock } from "../../src/base/system.ts";
import { podUid } from "../../src/api/pod-of.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { createPodStore } from "../../src/store/pod-store.ts";
import { service, status, take, told, workspace } from "../conformance/store/fixture.ts";
import { eventsOf, testApp } from "./server-harness.ts";

const dev = { namespace: "default", name: "dev" };

function stores(bounds: { readonly historyEventsMax?: number } = {}) {
  const base = createMemoryStore({ clock: systemClock, random: seededRandom(1), ...bounds });
  return { base, store: createPodStore(base, systemClock) };
}

describe("Pods beside what a store keeps", () => {
  it("are there as soon as their Workspace is, and see each Service", async () => {
    const { base, store } = stores();
    await assert.rejects(store.get("Pod", dev), status("NotFound", 'pods "dev" not found'));
    const made = await store.create("Workspace", workspace("dev"));
    assert.equal((await store.get("Pod", dev)).metadata.resourceVersion, made.metadata.resourceVersion);
    const web = await base.create("Service", service("web"));
    const pod = await store.get("Pod", dev);
    assert.deepEqual(pod.spec.containers.map((each) => each.name), ["web", "workspace"]);
    assert.equal(pod.metadata.resourceVersion, web.metadata.resourceVersion);
    await base.delete("Service", { namespace: "default", name: "web" });
    assert.equal((await store.get("Pod", dev)).spec.containers.length, 1);
  });
  it("are made of what was there before anybody asked", async () => {
    const { base, store } = stores();
    await base.create("Service", service("web"));
    await base.create("Workspace", workspace("dev"));
    await base.create("Service", service("stray", { workspace: "nowhere" }));
    const { items, resourceVersion } = await store.list("Pod");
    assert.deepEqual(items.map((each) => [each.metadata.name, each.spec.containers.length]), [["dev", 2]]);
    assert.equal(resourceVersion, (await base.list("Workspace")).resourceVersion);
    assert.ok(Object.isFrozen(items[0]!.status.conditions));
  });
  it("move no version for what does not show", async () => {
    const { base, store } = stores();
    await base.create("Workspace", workspace("dev"));
    const before = await store.get("Pod", dev);
    await base.patch("Workspace", dev, { type: "merge", patch: { metadata: { finalizers: ["example.com/x"] } } });
    assert.equal(await store.get("Pod", dev), before);
  });
  it("are watched: with selectors, from a version, through what comes and goes in them", async () => {
    const { base, store } = stores();
    const { resourceVersion } = await store.list("Pod");
    const end = new AbortController();
    const all = store.watch("Pod", { from: resourceVersion }, end.signal);
    const labelled = store.watch("Pod", { from: resourceVersion, labels: [{ key: "app", operator: "Exists" }] }, end.signal);
    await base.create("Workspace", workspace("dev"));
    await base.create("Workspace", workspace("test"));
    await base.create("Service", service("web"));
    await base.patch("Workspace", dev, { type: "merge", patch: { metadata: { labels: { app: "x" } } } });
    await base.delete("Service", { namespace: "default", name: "web" });
    await base.patch("Workspace", dev, { type: "merge", patch: { metadata: { labels: null } } });
    await base.delete("Workspace", dev);
    assert.deepEqual(told(await take(all, 7)), ["ADDED dev", "ADDED test", "MODIFIED dev", "MODIFIED dev", "MODIFIED dev", "MODIFIED dev", "DELETED dev"]);
    assert.deepEqual(told(await take(labelled, 3)), ["ADDED dev", "MODIFIED dev", "DELETED dev"]);
    end.abort();
  });
  it("are Gone for versions before the first look, and when too much has happened", async () => {
    const { base, store } = stores();
    const { resourceVersion } = await base.create("Workspace", workspace("dev")).then((each) => each.metadata);
    await base.create("Workspace", workspace("other"));
    await store.list("Pod");
    assert.throws(() => store.watch("Pod", { from: resourceVersion }, AbortSignal.abort()), status("Gone", "list again"));
  });
  it("are paged as one consistent list", async () => {
    const { base, store } = stores();
    for (const name of ["a", "b", "c"]) await base.create("Workspace", workspace(name));
    const first = await store.list("Pod", { limit: 2 });
    await base.create("Workspace", workspace("bb"));
    const rest = await store.list("Pod", { limit: 2, continue: first.continue });
    assert.deepEqual([...first.items, ...rest.items].map((each) => each.metadata.name), ["a", "b", "c"]);
    assert.equal(first.remainingItemCount, 1);
  });
  it("cannot be written, but for deletion, which has the Workspace made anew", async () => {
    const { base, store } = stores();
    await base.create("Workspace", workspace("dev"));
    const pod = await store.get("Pod", dev);
    for (const write of [store.create("Pod", pod), store.update("Pod", pod), store.updateStatus("Pod", pod), store.patch("Pod", dev, { type: "merge", patch: {} })]) {
      await assert.rejects(write, status("MethodNotAllowed", "a Pod shows a Workspace"));
    }
    await assert.rejects(store.delete("Pod", dev, { uid: "another" }), status("Conflict"));
    await store.delete("Pod", dev, { uid: pod.metadata.uid }, { dryRun: true });
    assert.deepEqual(await store.get("Pod", dev), pod);
    const end = new AbortController();
    const watched = store.watch("Pod", { from: pod.metadata.resourceVersion }, end.signal);
    const gone = await store.delete("Pod", dev, { uid: pod.metadata.uid });
    assert.deepEqual([gone.metadata.uid, gone.metadata.deletionTimestamp], [pod.metadata.uid, undefined]);
    const next = await store.get("Pod", dev);
    assert.notEqual(next.metadata.uid, pod.metadata.uid);
    assert.deepEqual(told(await take(watched, 2)), ["DELETED dev", "ADDED dev"]);
    end.abort();
    const { metadata } = await base.get("Workspace", dev);
    assert.deepEqual([metadata.annotations, metadata.deletionTimestamp], [{ "vendetta.dev/recreation": "1" }, undefined]);
    await assert.rejects(store.delete("Pod", dev, { uid: pod.metadata.uid }), status("Conflict"));
  });
  it("have the events of their Workspace", async () => {
    const { base, store } = stores();
    const { metadata } = await base.create("Workspace", workspace("dev"));
    const event = (name: string, involvedObject: object) => ({ apiVersion: "v1", kind: "Event", metadata: { name, namespace: "default" }, involvedObject, reason: "Started" }) as never;
    await base.create("Event", event("mine", { kind: "Workspace", name: "dev", namespace: "default", uid: metadata.uid }));
    await base.create("Event", event("another", { kind: "Service", name: "dev", namespace: "default", uid: "x" }));
    const field = (path: string, value: string) => ({ path: `involvedObject.${path}`, equal: true, value });
    const uid = field("uid", podUid(metadata.uid, 0));
    // As kubectl events --for, and as kubectl describe, whose Pods have forgotten their kind.
    for (const fields of [[field("kind", "Pod"), field("name", "dev")], [field("kind", "Pod"), field("name", "dev"), uid], [field("name", "dev"), uid]]) {
      const { items } = await store.list("Event", { namespace: "default", fields });
      assert.deepEqual(items.map((each) => each.metadata.name), ["mine"]);
    }
    assert.equal((await store.list("Event", { namespace: "default", fields: [field("kind", "Service")] })).items.length, 1);
  });
});

describe("Pods over HTTP", () => {
  const setup = async () => {
    const { base, store } = stores();
    await base.create("Workspace", workspace("dev"));
    return { base, ...testApp({ store }) };
  };
  const pods = "/api/v1/namespaces/default/pods";

  it("come as objects, lists and tables, in one namespace and in all", async () => {
    const { send } = await setup();
    const pod = (await (await send("GET", `${pods}/dev`)).json()) as any;
    assert.deepEqual([pod.apiVersion, pod.kind, pod.metadata.name], ["v1", "Pod", "dev"]);
    for (const path of [pods, "/api/v1/pods", "/api/v1/pods?fieldSelector=status.phase=Pending"]) assert.equal(((await (await send("GET", path)).json()) as any).items.length, 1);
    const table = (await (await send("GET", pods, undefined, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" })).json()) as any;
    assert.deepEqual(table.columnDefinitions.map((each: any) => `${each.name}/${each.priority}`), ["Name/0", "Ready/0", "Status/0", "Restarts/0", "Age/0", "IP/1", "Node/1", "Nominated Node/1", "Readiness Gates/1"]);
    assert.deepEqual(table.rows[0].cells.slice(0, 4), ["dev", "0/1", "Pending", "0"]);
  });
  it("are watched", async () => {
    const { send, base } = await setup();
    const events = eventsOf(await send("GET", `${pods}?watch=true`));
    assert.equal((await events.next()).value!.type, "ADDED");
    await base.create("Service", service("web"));
    assert.equal((await events.next()).value!.object.spec.containers.length, 2);
    await events.cancel();
  });
  it("are told of in discovery with what can be done with them", async () => {
    const { send } = await setup();
    const { resources } = (await (await send("GET", "/api/v1")).json()) as any;
    const verbs = Object.fromEntries(resources.filter((each: any) => each.name.startsWith("pods")).map((each: any) => [each.name, each.verbs.join(",")]));
    assert.deepEqual(verbs, { pods: "delete,get,list,watch", "pods/attach": "create,get", "pods/exec": "create,get", "pods/log": "get", "pods/portforward": "create,get" });
  });
  it("refuse to be written, saying what to write", async () => {
    const { send } = await setup();
    for (const [method, path] of [["POST", pods], ["PUT", `${pods}/dev`], ["PATCH", `${pods}/dev`]] as const) {
      const response = await send(method, path, {});
      const body = (await response.json()) as any;
      assert.deepEqual([response.status, body.reason], [405, "MethodNotAllowed"]);
      assert.match(body.message, /^the server does not allow this method on the requested resource.*Workspace/);
    }
    assert.equal((await send("GET", `${pods}/dev/status`)).status, 404);
  });
  it("are deleted as those of a controller: gone, and another in its place", async () => {
    const { send, base } = await setup();
    assert.equal(((await (await send("DELETE", `${pods}/dev`)).json()) as any).status, "Success");
    assert.equal((await base.get("Workspace", dev)).metadata.annotations!["vendetta.dev/recreation"], "1");
  });
});

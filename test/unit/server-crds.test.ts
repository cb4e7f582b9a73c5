import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { eventsOf, group, testApp } from "./server-harness.ts";

const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const names = ["nodes.vendetta.dev", "services.vendetta.dev", "sources.vendetta.dev", "workspaces.vendetta.dev"];

async function get(query = "", headers: Record<string, string> = {}) {
  const response = await testApp().send("GET", `${path}${query}`, undefined, headers);
  return (await response.json()) as any;
}

describe("customresourcedefinitions", () => {
  it("are our own kinds, established, with the schema and columns they are printed by", async () => {
    const list = await get();
    assert.deepEqual([list.kind, list.apiVersion], ["CustomResourceDefinitionList", "apiextensions.k8s.io/v1"]);
    assert.deepEqual(list.items.map((each: any) => each.metadata.name), names);
    for (const { metadata, spec, status } of list.items) {
      assert.deepEqual(status.conditions.map((each: any) => [each.type, each.status]), [["NamesAccepted", "True"], ["Established", "True"]]);
      assert.deepEqual([status.storedVersions, status.acceptedNames.plural], [["v1alpha1"], spec.names.plural]);
      assert.equal(spec.versions[0].schema.openAPIV3Schema.type, "object");
      assert.match(metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.match(metadata.creationTimestamp, /^\d{4}-/);
    }
    assert.equal(new Set(list.items.map((each: any) => each.metadata.uid)).size, names.length);
  });
  it("are got one by one", async () => {
    assert.equal((await get("/nodes.vendetta.dev")).spec.names.kind, "Node");
    const none = await get("/none");
    assert.deepEqual([none.code, none.message, none.details], [404, 'customresourcedefinitions.apiextensions.k8s.io "none" not found', { kind: "customresourcedefinitions", group: "apiextensions.k8s.io", name: "none" }]);
  });
  it("are Tables and PartialObjectMetadata for those who want them", async () => {
    const table = await get("", { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
    assert.deepEqual([table.columnDefinitions.map((each: any) => each.name), table.rows.map((each: any) => each.cells[0])], [["Name", "Created At"], names]);
    assert.equal((await get("", { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" })).items[0].kind, "PartialObjectMetadata");
    assert.deepEqual(Object.keys(await get("/nodes.vendetta.dev", { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" })).sort(), ["apiVersion", "kind", "metadata"]);
  });
  for (const [query, found] of [
    ["?fieldSelector=metadata.name%3Dnodes.vendetta.dev", 1],
    ["?fieldSelector=metadata.name!%3Dnodes.vendetta.dev", 3],
    ["?labelSelector=app%3Dx", 0],
    ["?labelSelector=!app", 4],
    ["?labelSelector=applyset.kubernetes.io%2Fis-parent-type", 4],
  ] as const) {
    it(`${query} selects ${found}`, async () => assert.equal((await get(query)).items.length, found));
  }
  it("can only be read", async () => {
    const { send } = testApp();
    for (const [method, at] of [["POST", path], ["DELETE", path], ["PUT", `${path}/${names[0]}`], ["PATCH", `${path}/${names[0]}`], ["DELETE", `${path}/${names[0]}`]] as const) {
      assert.equal((await send(method, at, {})).status, 405, `${method} ${at}`);
    }
  });
  it("are watched: what there is, then nothing until the end", async () => {
    const clock = createVirtualClock();
    const { send } = testApp({ clock });
    const events = eventsOf(await send("GET", `${path}?watch=true&timeoutSeconds=5`));
    for (const name of names) assert.equal(((await events.next()) as any).value.object.metadata.name, name);
    const next = events.next();
    await clock.advance(5000);
    assert.equal((await next).done, true);
    assert.equal(clock.pending, 0);
  });
  it("are watched from their version: nothing; from another: 410", async () => {
    const clock = createVirtualClock();
    const { send } = testApp({ clock });
    const { metadata } = await get();
    const same = eventsOf(await send("GET", `${path}?watch=true&timeoutSeconds=5&resourceVersion=${metadata.resourceVersion}`));
    const next = same.next();
    await clock.advance(5000);
    assert.equal((await next).done, true);
    const { value } = (await eventsOf(await send("GET", `${path}?watch=true&resourceVersion=7`)).next()) as any;
    assert.deepEqual([value.type, value.object.code, value.object.reason], ["ERROR", 410, "Expired"]);
  });
  it("mark the end of what there is when that is asked for", async () => {
    const { send } = testApp();
    const events = eventsOf(await send("GET", `${path}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan`));
    for (const _ of names) await events.next();
    const { value } = (await events.next()) as any;
    assert.deepEqual([value.type, value.object.metadata.annotations], ["BOOKMARK", { "k8s.io/initial-events-end": "true" }]);
    await events.cancel();
  });
});

describe("the services a cluster runs for itself", () => {
  const of = (room: string, selector: string) => `${group}/namespaces/${room}/services?labelSelector=${encodeURIComponent(selector)}`;
  it("are none, in core's words; any other question is about ours", async () => {
    const { send } = testApp();
    const kind = async (at: string) => ((await (await send("GET", at)).json()) as any).apiVersion;
    assert.equal(await kind(of("kube-system", "kubernetes.io/cluster-service=true")), "v1");
    assert.equal(await kind(of("default", "kubernetes.io/cluster-service=true")), "vendetta.dev/v1alpha1");
    assert.equal(await kind(of("kube-system", "app=x")), "vendetta.dev/v1alpha1");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { timestamp } from "../../src/base/clock.ts";
import { testApp } from "./server-harness.ts";

const path = "/api/v1/namespaces/default/events";
const asTable = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
const about = { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", name: "dev", namespace: "default", uid: "u1" };
const event = (name: string, more: object = {}) => ({ apiVersion: "v1", kind: "Event", metadata: { name, namespace: "default" }, involvedObject: about, reason: "Started", message: " it runs\n", type: "Normal", ...more });

/** The cells of one Event by the names of their columns, five minutes after `now`. */
async function cellsOf(more: (ago: (seconds: number) => string) => object): Promise<Record<string, unknown>> {
  const clock = createVirtualClock();
  const { send } = testApp({ clock });
  const response = await send("POST", path, event("e.1", more((seconds) => timestamp(clock.now() - seconds * 1000))));
  assert.equal(response.status, 201, await response.clone().text());
  const table = (await (await send("GET", path, undefined, asTable)).json()) as any;
  return Object.fromEntries(table.columnDefinitions.map((column: any, i: number) => [column.name, table.rows[0].cells[i]]));
}

describe("Events as a table", () => {
  it("have Kubernetes' columns, the name last and with -o wide only", async () => {
    const { send } = testApp();
    const { columnDefinitions } = (await (await send("GET", path, undefined, asTable)).json()) as any;
    assert.deepEqual(columnDefinitions.map((each: any) => [each.name, each.priority]), [
      ["Last Seen", 0], ["Type", 0], ["Reason", 0], ["Object", 0], ["Subobject", 1], ["Source", 1], ["Message", 0], ["First Seen", 1], ["Count", 1], ["Name", 1],
    ]);
    assert.equal(columnDefinitions.at(-1).format, "name");
  });
  it("of an older client", async () => {
    const cells = await cellsOf((ago) => ({ firstTimestamp: ago(300), lastTimestamp: ago(5), count: 3, source: { component: "kubelet", host: "n1" }, involvedObject: { ...about, fieldPath: "spec.image" } }));
    assert.deepEqual(cells, { "Last Seen": "5s", Type: "Normal", Reason: "Started", Object: "workspace/dev", Subobject: "spec.image", Source: "kubelet, n1", Message: "it runs", "First Seen": "5m", Count: 3, Name: "e.1" });
  });
  it("of a newer client", async () => {
    const cells = await cellsOf((ago) => ({ eventTime: ago(60).replace("Z", ".000001Z"), reportingComponent: "example.com/x", reportingInstance: "x-1", action: "Run" }));
    assert.deepEqual([cells["Last Seen"], cells["First Seen"], cells["Count"], cells["Source"]], ["60s", "60s", 1, "example.com/x, x-1"]);
    const series = await cellsOf((ago) => ({ eventTime: ago(60).replace("Z", ".000001Z"), series: { count: 7, lastObservedTime: ago(10).replace("Z", ".000000Z") } }));
    assert.deepEqual([series["Last Seen"], series["First Seen"], series["Count"]], ["10s", "60s", 7]);
  });
  it("that says next to nothing", async () => {
    const cells = await cellsOf(() => ({ involvedObject: { kind: "Node" }, reason: undefined, message: undefined, type: undefined }));
    assert.deepEqual([cells["Last Seen"], cells["Object"], cells["Message"], cells["Count"]], ["<unknown>", "node", "", 1]);
  });
});

describe("client libraries and Events", () => {
  it("count a repetition by a strategic merge patch, as client-go's recorder does", async () => {
    const { send } = testApp();
    await send("POST", path, event("e", { count: 1, firstTimestamp: "2026-01-31T12:00:00Z", lastTimestamp: "2026-01-31T12:00:00Z", eventTime: null, reportingInstance: "" }));
    const response = await send("PATCH", `${path}/e`, { count: 2, lastTimestamp: "2026-01-31T12:05:00Z", message: "x".repeat(2000) }, { "content-type": "application/strategic-merge-patch+json" });
    const patched = (await response.json()) as any;
    assert.deepEqual([response.status, patched.count, patched.lastTimestamp, patched.message.length, patched.involvedObject.name], [200, 2, "2026-01-31T12:05:00Z", 2000, "dev"]);
  });
  it("find those of one object, as describe and events --for do", async () => {
    const { send } = testApp();
    await send("POST", path, event("a"));
    await send("POST", path, event("b", { involvedObject: { ...about, uid: "u2" } }));
    await send("POST", path, event("c", { involvedObject: { ...about, kind: "Service" } }));
    const names = async (selector: string) => ((await (await send("GET", `${path}?fieldSelector=${encodeURIComponent(selector)}`)).json()) as any).items.map((each: any) => each.metadata.name);
    assert.deepEqual(await names("involvedObject.name=dev,involvedObject.namespace=default,involvedObject.kind=Workspace,involvedObject.uid=u1"), ["a"]);
    assert.deepEqual(await names("involvedObject.kind=Workspace,involvedObject.apiVersion=vendetta.dev/v1alpha1,involvedObject.name=dev"), ["a", "b"]);
    assert.deepEqual(await names("type!=Warning,reason=Started"), ["a", "b", "c"]);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Registry } from "prom-client";
import { kindNames, kinds } from "../../src/api/registry.ts";
import { resourceOf } from "../../src/server/api-resource.ts";
import { requestLabels } from "../../src/server/request-metrics.ts";
import { parsePrometheus } from "../harness/prometheus-text.ts";
import { eventsOf, group, room, testApp, workspace } from "./server-harness.ts";

function counted() {
  const made = testApp({ metrics: new Registry() });
  const scrape = async () => {
    const response = await made.send("GET", "/metrics");
    assert.deepEqual([response.status, response.headers.get("content-type")], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    return parsePrometheus(await response.text());
  };
  return { ...made, scrape, value: async (family: string, series: string) => (await scrape()).get(family)?.series.get(series) };
}

describe("/metrics", () => {
  it("counts requests by verb, resource and code, and times them", async () => {
    const { send, scrape } = counted();
    await send("POST", `${room}/workspaces`, workspace("a"));
    await send("POST", `${room}/workspaces`, workspace("a"));
    for (let i = 0; i < 3; i++) await send("GET", `${room}/workspaces/a`);
    await send("GET", "/nonsense/of/mine");
    await send("GET", `${group}/gadgets`);
    const families = await scrape();
    const requests = families.get("vendetta_api_requests_total")!.series;
    const workspaces = 'group="vendetta.dev",resource="workspaces",subresource=""';
    assert.equal(requests.get(`vendetta_api_requests_total{verb="create",${workspaces},code="201"}`), 1);
    assert.equal(requests.get(`vendetta_api_requests_total{verb="create",${workspaces},code="409"}`), 1);
    assert.equal(requests.get(`vendetta_api_requests_total{verb="get",${workspaces},code="200"}`), 3);
    assert.equal(requests.get('vendetta_api_requests_total{verb="get",group="",resource="",subresource="",code="404"}'), 2, "what is not known is one series");
    assert.equal(families.get("vendetta_api_request_duration_seconds")!.series.get(`vendetta_api_request_duration_seconds_count{verb="create",${workspaces}}`), 2);
  });
  it("tells of what is stored, as it is when asked", async () => {
    const { send, store, scrape, value } = counted();
    for (const name of ["a", "b", "c"]) await send("POST", `${room}/workspaces`, workspace(name));
    const writes = (await value("vendetta_store_writes_total", "vendetta_store_writes_total"))!;
    await store.updateStatus("Workspace", { ...(await store.get("Workspace", { namespace: "default", name: "a" })), status: { phase: "Running" } } as never);
    const families = await scrape();
    assert.equal(families.get("vendetta_store_writes_total")!.series.get("vendetta_store_writes_total"), writes + 1);
    assert.deepEqual([...families.get("vendetta_store_objects")!.series], kindNames.map((kind) => [`vendetta_store_objects{kind="${kind}"}`, kind === "Workspace" ? 3 : kind === "Namespace" ? 1 : 0]));
    assert.deepEqual([...families.get("vendetta_workspaces")!.series], [['vendetta_workspaces{phase="Running"}', 1], ['vendetta_workspaces{phase="Unknown"}', 2]]);
    assert.deepEqual([...families.get("vendetta_nodes")!.series], [['vendetta_nodes{ready="true"}', 0], ['vendetta_nodes{ready="false"}', 0]]);
    await send("DELETE", `${room}/workspaces`);
    assert.deepEqual([...(await scrape()).get("vendetta_workspaces")!.series], [], "a phase that nothing is in is not told of any more");
  });
  it("counts watches while they are open", async () => {
    const { send, store, value } = counted();
    const series = 'vendetta_api_watchers{group="vendetta.dev",resource="workspaces"}';
    const [one, two] = [eventsOf(await send("GET", `${room}/workspaces?watch=true`)), eventsOf(await send("GET", `${room}/workspaces?watch=true`))];
    assert.equal(await value("vendetta_api_watchers", series), 2);
    await store.create("Workspace", workspace("a") as never);
    await one.next();
    await one.cancel();
    assert.equal(await value("vendetta_api_watchers", series), 1);
    await two.cancel();
    assert.equal(await value("vendetta_api_watchers", series), 0);
    assert.equal(await value("vendetta_api_requests_total", 'vendetta_api_requests_total{verb="watch",group="vendetta.dev",resource="workspaces",subresource="",code="200"}'), 2);
  });
  it("is 404 when nothing is counted", async () => {
    assert.equal((await testApp().send("GET", "/metrics")).status, 404);
  });
});

describe("what a request is counted as", () => {
  const labelsOf = requestLabels(kindNames.map((name) => resourceOf(kinds[name])));
  const table: readonly (readonly [method: string, path: string, verb: string, resource: string, subresource?: string])[] = [
    ["GET", `${group}/workspaces`, "list", "workspaces"],
    ["GET", `${room}/workspaces?limit=5`, "list", "workspaces"],
    ["GET", `${room}/workspaces?watch=true`, "watch", "workspaces"],
    ["GET", `${room}/workspaces?watch=false`, "list", "workspaces"],
    ["GET", `${room}/workspaces/a`, "get", "workspaces"],
    ["PUT", `${room}/workspaces/a/status`, "update", "workspaces", "status"],
    ["PATCH", `${room}/workspaces/a`, "patch", "workspaces"],
    ["DELETE", `${room}/workspaces/a`, "delete", "workspaces"],
    ["DELETE", `${room}/workspaces`, "deletecollection", "workspaces"],
    ["GET", `${room}/workspaces/a/whatever-they-like`, "get", "workspaces"],
    ["GET", "/api/v1/namespaces", "list", "namespaces"],
    ["GET", "/api/v1/namespaces/x", "get", "namespaces"],
    ["PATCH", "/api/v1/namespaces/x/status", "patch", "namespaces", "status"],
    ["GET", "/api/v1/namespaces/x/events", "list", "events"],
    ["POST", "/api/v1/namespaces", "create", "namespaces"],
    ["GET", "/healthz", "get", ""],
    ["GET", "/api", "get", ""],
    ["BREW", "/pot", "other", ""],
  ];
  for (const [method, path, verb, resource, subresource = ""] of table) {
    it(`${method} ${path.replace(group, "…")}: ${verb} ${resource}`, () => {
      const labels = labelsOf(method, `http://localhost${path}`);
      assert.deepEqual([labels.verb, labels.resource, labels.subresource], [verb, resource, subresource]);
    });
  }
});

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import type { ServiceLogs } from "../../src/server/service-log.ts";
import type { WorkspaceConsole } from "../../src/server/workspace-console.ts";
import { group, room, testApp, workspace } from "./server-harness.ts";

const path = `${room}/workspaces`;
const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json" };

async function withThree() {
  const clock = createVirtualClock();
  const test = testApp({ clock });
  for (const [name, labels] of [["a", { app: "x" }], ["b", { app: "y" }], ["c", { app: "x", tier: "z" }]] as const) await test.send("POST", path, workspace(name, {}, { labels }));
  return { ...test, clock, get: async (query: string, headers?: Record<string, string>) => (await (await test.send("GET", `${path}${query}`, undefined, headers)).json()) as any };
}

describe("a list", () => {
  it("has kind, version and items", async () => {
    const { get } = await withThree();
    const list = await get("");
    assert.deepEqual([list.kind, list.apiVersion, list.items.length, list.metadata.resourceVersion], ["WorkspaceList", "vendetta.dev/v1alpha1", 3, "4"]);
  });
  it("of all namespaces, and of a cluster-scoped kind", async () => {
    const { send } = await withThree();
    assert.equal(((await (await send("GET", `${group}/workspaces`)).json()) as any).items.length, 3);
    assert.equal(((await (await send("GET", `${group}/nodes`)).json()) as any).kind, "NodeList");
    assert.deepEqual(((await (await send("GET", "/api/v1/namespaces")).json()) as any).items.map((each: any) => each.metadata.name), ["default"]);
  });
  for (const [query, names] of [
    ["?labelSelector=app%3Dx", "a,c"],
    ["?labelSelector=app%20in%20(x,y),!tier", "a,b"],
    ["?fieldSelector=metadata.name%3Db", "b"],
    ["?fieldSelector=spec.provider!%3Ddocker", ""],
    ["?labelSelector=", "a,b,c"],
    ["?limit=0", "a,b,c"],
    ["?limit=2", "a,b"],
    ["?resourceVersion=0", "a,b,c"],
  ] as const) {
    it(`${query} is ${names || "empty"}`, async () => {
      const { get } = await withThree();
      assert.equal((await get(query)).items.map((each: any) => each.metadata.name).join(","), names);
    });
  }
  it("goes on where it was cut", async () => {
    const { get } = await withThree();
    const first = await get("?limit=2");
    assert.equal(first.metadata.remainingItemCount, 1);
    const second = await get(`?limit=2&continue=${encodeURIComponent(first.metadata.continue)}`);
    assert.deepEqual([second.items.length, second.metadata.continue], [1, undefined]);
  });
  // a, b and c were made at versions 2, 3 and 4.
  for (const [query, answer] of [
    ["?resourceVersion=3&resourceVersionMatch=Exact", "a,b at 3"],
    ["?resourceVersion=3", "a,b,c at 4"],
    ["?resourceVersion=3&limit=5", "a,b at 3"],
    ["?resourceVersion=3&limit=5&resourceVersionMatch=NotOlderThan", "a,b,c at 4"],
    ["?resourceVersion=0&limit=5", "a,b,c at 4"],
    ["?resourceVersion=0&resourceVersionMatch=NotOlderThan", "a,b,c at 4"],
    ["?resourceVersion=4&resourceVersionMatch=NotOlderThan", "a,b,c at 4"],
    ["?resourceVersion=4&labelSelector=app%3Dx&resourceVersionMatch=Exact", "a,c at 4"],
    ["?resourceVersion=5&resourceVersionMatch=NotOlderThan", "504 Timeout: Timeout: Too large resource version: 5, current: 4"],
    ["?resourceVersion=5", "504 Timeout: Timeout: Too large resource version: 5, current: 4"],
    ["?resourceVersion=99999999999999999999&resourceVersionMatch=Exact", "504 Timeout: Timeout: Too large resource version: 99999999999999999999, current: 4"],
    ["?resourceVersionMatch=Exact", '422 Invalid: ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided'],
    ["?resourceVersion=0&resourceVersionMatch=Exact", '422 Invalid: ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'],
    ["?resourceVersion=1&resourceVersionMatch=Newest", '422 Invalid: ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""'],
    ["?sendInitialEvents=true", '422 Invalid: ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list'],
    ["?resourceVersion=3&continue=x", "400 BadRequest: specifying resource version is not allowed when using continue"],
    ["/a?resourceVersion=4", "a"],
    ["/a?resourceVersion=0", "a"],
    ["/a?resourceVersion=5", "504 Timeout: Timeout: Too large resource version: 5, current: 4"],
  ] as const) {
    it(`${query} is ${answer}`, async () => {
      const { get } = await withThree();
      const { code, reason, message, metadata, items } = await get(query);
      assert.equal(code !== undefined ? `${code} ${reason}: ${message}` : items === undefined ? metadata.name : `${items.map((each: any) => each.metadata.name).join(",")} at ${metadata.resourceVersion}`, answer);
    });
  }
  it("of a version that is not kept any more is 410", async () => {
    const { send } = testApp({ historyEventsMax: 2 });
    for (const name of ["a", "b", "c", "d"]) await send("POST", path, workspace(name));
    const status = (await (await send("GET", `${path}?resourceVersion=2&resourceVersionMatch=Exact`)).json()) as any;
    assert.deepEqual([status.code, status.reason, status.message], [410, "Expired", "The resourceVersion for the provided list is too old."]);
  });
  it("whose token has expired is 410 with another token, to go on at the price of consistency", async () => {
    const { send } = testApp({ historyEventsMax: 2 });
    for (const name of ["a", "c"]) await send("POST", path, workspace(name));
    const get = async (query: string) => (await (await send("GET", `${path}${query}`)).json()) as any;
    const first = await get("?limit=1");
    for (const name of ["b", "d", "e"]) await send("POST", path, workspace(name));
    const status = await get(`?limit=1&continue=${first.metadata.continue}`);
    assert.deepEqual([status.code, status.reason, status.kind], [410, "Expired", "Status"]);
    assert.match(status.message, /^The provided continue parameter is too old to display a consistent list result\. You can start a new list without the continue parameter, or use the continue token in this response/);
    const rest = await get(`?continue=${status.metadata.continue}`);
    assert.deepEqual(rest.items.map((each: any) => each.metadata.name), ["b", "c", "d", "e"]);
  });
});

describe("a Table", () => {
  it("has the printer columns, with their priority, and ages by the clock", async () => {
    const { get, clock, store } = await withThree();
    const object = await store.get("Workspace", { namespace: "default", name: "a" });
    await store.updateStatus("Workspace", { ...object, status: { phase: "Running", restarts: 0, conditions: [{ type: "Ready", status: "True", reason: "Up", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }] } });
    await clock.advance(310_000);
    const answer = await get("?limit=500", table);
    assert.deepEqual([answer.kind, answer.apiVersion, answer.metadata.resourceVersion], ["Table", "meta.k8s.io/v1", "5"]);
    const columns = answer.columnDefinitions.map((each: any) => `${each.name}/${each.priority}`);
    assert.deepEqual(columns, ["Name/0", "Ready/0", "Status/0", "Provider/0", "Node/0", "Restarts/0", "Image/1", "Address/1", "Instance/1", "Age/0", "Message/1"]);
    assert.deepEqual(answer.columnDefinitions[0].format, "name");
    assert.deepEqual(answer.rows[0].cells, ["a", "True", "Running", "docker", null, 0, "node:20", null, null, "5m10s", ""]);
    assert.deepEqual([answer.rows[0].object.kind, answer.rows[0].object.metadata.name, answer.rows[0].object.spec], ["PartialObjectMetadata", "a", undefined]);
  });
  it("joins several values of one cell", async () => {
    const { send, store } = testApp();
    const node = await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "n" }, spec: { local: {} } as never });
    await store.updateStatus("Node", { ...node, status: { providers: [{ name: "docker", usable: true }, { name: "lxc", usable: false }, { name: "host", usable: true }] } });
    const answer = (await (await send("GET", `${group}/nodes/n`, undefined, table)).json()) as any;
    assert.equal(answer.rows[0].cells[answer.columnDefinitions.findIndex((each: any) => each.name === "Providers")], "docker,host");
  });
  it("carries what includeObject asks for", async () => {
    const { get } = await withThree();
    assert.equal((await get("?includeObject=Object", table)).rows[0].object.spec.provider, "docker");
    assert.equal((await get("?includeObject=None", table)).rows[0].object, undefined);
    assert.equal((await get("/b", table)).rows[0].cells[0], "b");
  });
  it("is left where it is not offered: plain JSON follows", async () => {
    const { get } = await withThree();
    assert.equal((await get("", { accept: "application/vnd.kubernetes.protobuf, application/json;as=Table;v=v9;g=meta.k8s.io, application/json" })).kind, "WorkspaceList");
  });
  it("has a sibling, PartialObjectMetadataList", async () => {
    const { get } = await withThree();
    const list = await get("", { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" });
    assert.deepEqual([list.kind, list.items[0].kind, Object.keys(list.items[0]).sort().join()], ["PartialObjectMetadataList", "PartialObjectMetadata", "apiVersion,kind,metadata"]);
  });
});

describe("discovery", () => {
  const get = async (of: string, accept?: string) => {
    const response = await testApp().send("GET", of, undefined, accept === undefined ? {} : { accept });
    return { type: response.headers.get("content-type"), body: (await response.json()) as any };
  };
  it("names version, groups and kinds", async () => {
    assert.match((await get("/version")).body.gitVersion, /^v1\.\d+\.\d+\+vendetta-/);
    assert.deepEqual((await get("/api")).body.versions, ["v1"]);
    assert.deepEqual((await get("/apis")).body.groups.map((each: any) => each.preferredVersion.groupVersion), ["vendetta.dev/v1alpha1", "coordination.k8s.io/v1", "apiextensions.k8s.io/v1", "authentication.k8s.io/v1", "authorization.k8s.io/v1"]);
    assert.equal((await get("/apis/vendetta.dev")).body.kind, "APIGroup");
    assert.deepEqual((await get("/api/v1")).body.resources.map((each: any) => each.name), ["namespaces", "namespaces/status", "events", "pods", "pods/attach", "pods/exec", "pods/log", "pods/portforward"]);
    const { resources } = (await get(group)).body;
    assert.deepEqual(resources.map((each: any) => each.name), ["nodes", "nodes/status", "workspaces", "workspaces/status", "workspaces/console", "workspaces/exec", "services", "services/status", "services/exec", "services/log", "sources", "sources/status", "sources/plan"]);
    assert.deepEqual(resources[2].shortNames, ["ws"]);
  });
  it("is aggregated on request", async () => {
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    const { type, body } = await get("/apis", accept);
    assert.equal(type, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    assert.deepEqual(body.items[0].versions[0].resources.map((each: any) => each.resource), ["nodes", "workspaces", "services", "sources"]);
    assert.deepEqual((await get("/api", accept)).body.items[0].versions[0].resources.map((each: any) => each.responseKind.kind), ["Namespace", "Event", "Pod"]);
  });
});

describe("health", () => {
  it("is ok, or says what fails", async () => {
    let trouble: string | undefined = undefined;
    const health = [{ name: "store", live: true, check: () => undefined }, { name: "caches", live: false, check: () => trouble }];
    const { send } = testApp({ health });
    const get = async (of: string) => {
      const response = await send("GET", of);
      return [response.status, await response.text()];
    };
    assert.deepEqual(await get("/readyz"), [200, "ok"]);
    trouble = "not filled yet";
    assert.deepEqual(await get("/readyz"), [500, "[+]store ok\n[-]caches failed: not filled yet\nreadyz check failed\n"]);
    assert.deepEqual(await get("/livez?verbose"), [200, "[+]store ok\nlivez check passed\n"]);
    assert.equal((await get("/healthz"))[0], 500);
  });
});

describe("the log of a service", () => {
  const service = { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "web", namespace: "default" }, spec: { workspace: "a", command: ["x"] } };
  const open = async (logs: ServiceLogs | undefined, query = "", name = "web") => {
    const test = testApp({ logs });
    await test.send("POST", `${room}/services`, service);
    return await test.send("GET", `${room}/services/${name}/log${query}`);
  };
  it("is streamed with the options asked for", async () => {
    let seen: unknown;
    const response = await open((ref, { signal: _, ...options }) => {
      seen = { ref, options };
      return Promise.resolve(Readable.from([Buffer.from("one\n"), Buffer.from("two\n")]));
    }, "?tailLines=5&previous=true");
    assert.deepEqual([response.headers.get("content-type"), await response.text()], ["text/plain; charset=utf-8", "one\ntwo\n"]);
    assert.deepEqual(seen, { ref: { namespace: "default", name: "web" }, options: { follow: false, tailLines: 5, previous: true } });
  });
  it("of a Service that is not there is 404, and so is any where logs are not served", async () => {
    assert.equal((await open(() => Promise.resolve(Readable.from([])), "", "none")).status, 404);
    assert.equal((await open(undefined)).status, 404);
    assert.equal((await open(() => Promise.resolve(Readable.from([])), "?tailLines=x")).status, 400);
  });
  it("stops its source when the reader goes", async () => {
    let signal: AbortSignal | undefined;
    const response = await open((_, options) => {
      signal = options.signal;
      return Promise.resolve(new ReadableStream({ pull: (controller) => controller.enqueue(Buffer.from("x\n")) }, { highWaterMark: 0 }));
    }, "?follow=true");
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    assert.equal(signal?.aborted, true);
  });
});

describe("the console of a workspace", () => {
  const open = async (showConsole: WorkspaceConsole | undefined, query = "", name = "dev") => {
    const test = testApp({ showConsole });
    await test.send("POST", `${room}/workspaces`, workspace("dev"));
    return await test.send("GET", `${room}/workspaces/${name}/console${query}`);
  };
  it("is its end, as long as was asked for and no longer than 1 MiB", async () => {
    const asked: number[] = [];
    const show: WorkspaceConsole = (_ref, bytesMax) => {
      asked.push(bytesMax);
      return Promise.resolve("login: ");
    };
    const response = await open(show);
    assert.deepEqual([response.status, response.headers.get("content-type"), await response.text()], [200, "text/plain; charset=utf-8", "login: "]);
    await open(show, "?limitBytes=10");
    await open(show, "?limitBytes=99999999");
    assert.deepEqual(asked, [2 ** 20, 10, 2 ** 20]);
  });
  it("of a Workspace that is not there is 404, and so is any where consoles are not served", async () => {
    assert.equal((await open(() => Promise.resolve(""), "", "none")).status, 404);
    assert.equal((await open(undefined)).status, 404);
    assert.equal((await open(() => Promise.resolve(""), "?limitBytes=0")).status, 400);
  });
});

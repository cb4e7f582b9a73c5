import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { administrator } from "../../src/server/user.ts";
import { eventsOf, room, testApp, workspace, type TestApp } from "./server-harness.ts";

const path = `${room}/workspaces`;

async function open({ send }: TestApp, query: string, headers?: Record<string, string>) {
  const response = await send("GET", `${path}?watch=true${query}`, undefined, headers);
  assert.equal(response.status, 200);
  return eventsOf(response);
}

const short = (event: { readonly type: string; readonly object: any } | void) => (event ? `${event.type} ${event.object.metadata?.name ?? event.object.code ?? event.object.metadata?.resourceVersion}` : "end");

async function take(events: ReturnType<typeof eventsOf>, count: number): Promise<string[]> {
  const taken: string[] = [];
  for (let i = 0; i < count; i++) taken.push(short((await events.next()).value));
  return taken;
}

describe("a watch", () => {
  for (const query of ["", "&resourceVersion=0", "&resourceVersion="]) {
    it(`with "${query}" sends what is there first`, async () => {
      const test = testApp();
      await test.send("POST", path, workspace("a"));
      const events = await open(test, query);
      await test.send("POST", path, workspace("b"));
      assert.deepEqual(await take(events, 2), ["ADDED a", "ADDED b"]);
      await events.cancel();
    });
  }
  it("from a version sends what came after it, in order", async () => {
    const test = testApp();
    await test.send("POST", path, workspace("a"));
    const { metadata } = (await (await test.send("GET", path)).json()) as any;
    await test.send("POST", path, workspace("b"));
    const events = await open(test, `&resourceVersion=${metadata.resourceVersion}`);
    await test.send("PATCH", `${path}/b`, { spec: { image: "x" } }, { "content-type": "application/merge-patch+json" });
    await test.send("DELETE", `${path}/b`);
    assert.deepEqual(await take(events, 3), ["ADDED b", "MODIFIED b", "DELETED b"]);
    await events.cancel();
  });
  it("from a version that is not kept is an ERROR with a 410 Status, then the end", async () => {
    const test = testApp({ historyEventsMax: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) await test.send("POST", path, workspace(name));
    const events = await open(test, "&resourceVersion=2");
    const { value } = (await events.next()) as any;
    assert.deepEqual([value.type, value.object.kind, value.object.code, value.object.reason], ["ERROR", "Status", 410, "Expired"]);
    assert.equal((await events.next()).done, true);
  });
  it("turns leaving the selector into DELETED", async () => {
    const test = testApp();
    const events = await open(test, "&labelSelector=app%3Dx&resourceVersion=1");
    await test.send("POST", path, workspace("a", {}, { labels: { app: "y" } }));
    await test.send("POST", path, workspace("b", {}, { labels: { app: "x" } }));
    await test.send("PATCH", `${path}/b`, { metadata: { labels: { app: "y" } } }, { "content-type": "application/merge-patch+json" });
    await test.send("PATCH", `${path}/a`, { metadata: { labels: { app: "x" } } }, { "content-type": "application/merge-patch+json" });
    assert.deepEqual(await take(events, 3), ["ADDED b", "DELETED b", "ADDED a"]);
    await events.cancel();
  });
  it("ends after timeoutSeconds, and leaves nothing behind", async () => {
    const clock = createVirtualClock();
    const test = testApp({ clock });
    const events = await open(test, "&timeoutSeconds=7");
    const next = events.next();
    await clock.advance(6999);
    assert.notEqual(clock.pending, 0);
    await clock.advance(1);
    assert.equal((await next).done, true);
    assert.equal(clock.pending, 0);
  });
  it("has bookmarks only when allowed", async () => {
    const clock = createVirtualClock();
    const test = testApp({ clock });
    const [without, allowed] = [await open(test, "&timeoutSeconds=100"), await open(test, "&timeoutSeconds=100&allowWatchBookmarks=true")];
    const [first, second] = [without.next(), allowed.next()];
    await clock.advance(60_000);
    const { value } = (await second) as any;
    assert.deepEqual([value.type, value.object], ["BOOKMARK", { kind: "Workspace", apiVersion: "vendetta.dev/v1alpha1", metadata: { resourceVersion: "1" } }]);
    await clock.advance(60_000);
    assert.equal((await first).done, true);
    await allowed.cancel();
  });
  it("marks the end of the initial events when asked to", async () => {
    const test = testApp();
    await test.send("POST", path, workspace("a"));
    const events = await open(test, "&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
    assert.deepEqual(await take(events, 1), ["ADDED a"]);
    const { value } = (await events.next()) as any;
    assert.deepEqual([value.type, value.object.metadata.annotations], ["BOOKMARK", { "k8s.io/initial-events-end": "true" }]);
    await events.cancel();
    const fromNow = await open(test, "&sendInitialEvents=false&resourceVersionMatch=NotOlderThan");
    await test.send("POST", path, workspace("b"));
    assert.deepEqual(await take(fromNow, 1), ["ADDED b"]);
    await fromNow.cancel();
  });
  it("of Tables has columns in the first only", async () => {
    const test = testApp();
    await test.send("POST", path, workspace("a"));
    const events = await open(test, "", { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
    await test.send("POST", path, workspace("b"));
    const [first, second] = [((await events.next()) as any).value.object, ((await events.next()) as any).value.object];
    assert.deepEqual([first.kind, first.rows[0].cells[0], first.columnDefinitions.length > 3], ["Table", "a", true]);
    assert.deepEqual([second.kind, second.rows[0].cells[0], second.columnDefinitions], ["Table", "b", []]);
    await events.cancel();
  });
  it("whose reader stands still is cut with 410, and holds up nobody", async () => {
    const test = testApp({ watchBufferEventsMax: 10 });
    const slow = await open(test, "");
    const quick = await open(test, "");
    for (let i = 0; i < 30; i++) {
      await test.send("POST", path, workspace(`w${i}`));
      assert.deepEqual(await take(quick, 1), [`ADDED w${i}`]);
    }
    const seen: string[] = [];
    for await (const event of slow) seen.push(short(event));
    assert.equal(seen.at(-1), "ERROR 410");
    assert.ok(seen.length <= 12, `${seen.length} events were kept for it`);
    await quick.cancel();
  });
  it("stops when the server does", async () => {
    const { app } = testApp();
    const stopping = new AbortController();
    const response = await app(new Request(`http://localhost${path}?watch=true`), { signal: stopping.signal, user: administrator });
    const events = eventsOf(response);
    const next = events.next();
    stopping.abort();
    assert.equal((await next).done, true);
  });
  it("stops when its reader goes", async () => {
    const clock = createVirtualClock();
    const test = testApp({ clock });
    const events = await open(test, "");
    assert.notEqual(clock.pending, 0);
    await events.cancel();
    assert.equal(clock.pending, 0);
  });
});

describe("a watch is refused", () => {
  for (const [query, code, message] of [
    ["&resourceVersionMatch=NotOlderThan", 422, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"],
    ["&sendInitialEvents=true", 422, "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"],
    ["&sendInitialEvents=true&resourceVersionMatch=Exact", 422, "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"],
    ["&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=99", 504, "Too large resource version: 99, current: 1"],
    ["&timeoutSeconds=soon", 400, "timeoutSeconds"],
    ["&labelSelector=a%20in", 400, "Cannot parse label selector"],
    ["&fieldSelector=spec.image%3Dx", 400, "field label not supported: spec.image"],
  ] as const) {
    it(`with ${query}: ${code}`, async () => {
      const response = await testApp().send("GET", `${path}?watch=true${query}`);
      const status = (await response.json()) as any;
      assert.deepEqual([response.status, status.kind], [code, "Status"]);
      assert.ok(status.message.includes(message), status.message);
    });
  }
});

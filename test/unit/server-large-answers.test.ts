import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { parse } from "yaml";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { jsonListBody, yamlListBody } from "../../src/server/list-body.ts";
import { acceptsGzip, compressBytesMin } from "../../src/server/compression.ts";
import { eventsOf, room, testApp, workspace, type TestApp } from "./server-harness.ts";

/** Enough Workspaces for an answer of several chunks. */
async function filled(count = 200): Promise<TestApp> {
  // Time stands still: ages are in a table.
  const test = testApp({ clock: createVirtualClock() });
  for (let i = 0; i < count; i++) await test.store.create("Workspace", workspace(`w${String(i).padStart(4, "0")}`, {}, { annotations: { note: "é".repeat(500) } }) as never);
  return test;
}

const gzip = { "accept-encoding": "br;q=1, gzip" };
const forms = {
  JSON: "application/json",
  YAML: "application/yaml",
  Table: "application/json;as=Table;v=v1;g=meta.k8s.io",
  PartialObjectMetadataList: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
};

describe("a large list", () => {
  for (const [form, accept] of Object.entries(forms)) {
    it(`is the same compressed and not, as ${form}`, async () => {
      const test = await filled();
      const plain = await test.send("GET", `${room}/workspaces`, undefined, { accept });
      assert.equal(plain.headers.get("content-encoding"), null);
      const text = await plain.text();
      assert.ok(Buffer.byteLength(text) > compressBytesMin);
      const packed = await test.send("GET", `${room}/workspaces`, undefined, { accept, ...gzip });
      assert.equal(packed.headers.get("content-encoding"), "gzip");
      assert.equal(packed.headers.get("vary"), "Accept-Encoding");
      assert.equal(packed.headers.get("content-length"), null);
      assert.equal(packed.headers.get("content-type"), plain.headers.get("content-type"));
      assert.equal(gunzipSync(Buffer.from(await packed.arrayBuffer())).toString(), text);
      const list = form === "YAML" ? parse(text) : JSON.parse(text);
      assert.equal((list.items ?? list.rows).length, 200);
    });
  }
  it("has ages as of the list, however slowly it is read", async () => {
    const clock = createVirtualClock();
    const test = testApp({ clock });
    for (let i = 0; i < 300; i++) await test.store.create("Workspace", workspace(`w${i}`, {}, { annotations: { note: "x".repeat(500) } }) as never);
    const response = await test.send("GET", `${room}/workspaces`, undefined, { accept: forms.Table });
    assert.ok(response.body !== null);
    await clock.advance(3600_000);
    const { rows, columnDefinitions } = JSON.parse(await response.text());
    const age = columnDefinitions.findIndex((each: any) => each.name === "Age");
    assert.deepEqual([...new Set(rows.map((row: any) => row.cells[age]))], ["0s"]);
  });
  it("is made while it is read, and given up when nobody reads on", async () => {
    const test = await filled();
    for (const headers of [{}, gzip]) {
      const response = await test.send("GET", `${room}/workspaces`, undefined, headers);
      const reader = response.body!.getReader();
      const { value } = await reader.read();
      assert.ok(value!.byteLength < compressBytesMin, `${value!.byteLength}`);
      await reader.cancel();
    }
  });
});

describe("an answer goes as it is", () => {
  const plain = async (test: TestApp, path: string, headers: Record<string, string>, method = "GET") => {
    const response = await test.send(method, path, method === "GET" ? undefined : workspace("new", {}, { annotations: { note: "x".repeat(200_000) } }), headers);
    assert.equal(response.headers.get("content-encoding"), null);
    return response;
  };
  it("when it is small", async () => {
    const body = await (await plain(await filled(3), `${room}/workspaces`, gzip)).text();
    assert.equal(JSON.parse(body).items.length, 3);
  });
  it("when nobody asked for less, or it answers a write", async () => {
    const test = await filled();
    await plain(test, `${room}/workspaces`, {});
    await plain(test, `${room}/workspaces`, { "accept-encoding": "gzip;q=0, deflate" });
    await plain(test, `${room}/workspaces`, gzip, "POST");
  });
  it("when it is a watch, event by event", async () => {
    const test = await filled();
    const events = eventsOf(await plain(test, `${room}/workspaces?watch=1`, gzip));
    for (let i = 0; i < 200; i++) assert.equal((await events.next()).value!.type, "ADDED");
    await test.store.create("Workspace", workspace("late") as never);
    assert.equal((await events.next()).value!.object.metadata.name, "late");
    await events.cancel();
  });
});

describe("acceptsGzip", () => {
  for (const [header, wanted] of [[undefined, false], ["", false], ["gzip", true], ["GZIP", true], ["deflate, gzip;q=0.5", true], ["gzip;q=0", false], ["gzip; q=0.000", false], ["identity", false], ["x-gzip", false]] as const) {
    it(`${header} is ${wanted}`, () => assert.equal(acceptsGzip(header), wanted));
  }
});

describe("list bodies", () => {
  const head = { kind: "L", metadata: { resourceVersion: "7", "odd\"key": "]}" } };
  const textOf = async (body: string | ReadableStream<Uint8Array>) => await new Response(body).text();
  for (const count of [0, 1, 2, 700]) {
    it(`of ${count} items are what one text of all would be`, async () => {
      const items = Array.from({ length: count }, (_, i) => ({ i, text: "'ä\n- :".repeat(20), list: [1, [2]], none: null }));
      const wanted = { ...head, items };
      assert.equal(await textOf(jsonListBody(head, "items", items, (item) => item)), `${JSON.stringify(wanted)}\n`);
      assert.deepEqual(parse(await textOf(yamlListBody(head, "items", items, (item) => item))), wanted);
    });
  }
  it("hold a chunk at a time, and the whole only when it is less", async () => {
    const items = Array.from({ length: 5000 }, (_, i) => ({ i, text: "x".repeat(100) }));
    assert.equal(typeof jsonListBody(head, "items", items.slice(0, 100), (item) => item), "string");
    let written = 0;
    const body = jsonListBody(head, "items", items, (item) => (written++, item)) as ReadableStream<Uint8Array>;
    const chunks: number[] = [];
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      if (chunks.length === 0) assert.ok(written < 1000, `${written} of 5000 are written before the first chunk is taken`);
      chunks.push(chunk.byteLength);
    }
    assert.equal(written, 5000);
    assert.ok(Math.max(...chunks) < 70_000, chunks.join(" "));
  });
});

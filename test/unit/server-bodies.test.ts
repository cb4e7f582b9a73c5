import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bodyBytesMax } from "../../src/server/body.ts";
import { room, testApp, workspace } from "./server-harness.ts";

const yaml = { "content-type": "application/yaml" };
const path = `${room}/workspaces`;

const manifest = (extra: string) => `apiVersion: vendetta.dev/v1alpha1\nkind: Workspace\nmetadata: {name: a}\nspec:\n  provider: docker\n  image: node:20\n${extra}`;

describe("a YAML body", () => {
  it("is taken", async () => {
    const { send } = testApp();
    const response = await send("POST", path, manifest("  env: {A: \"1\"}\n"), { "content-type": "application/yaml; charset=utf-8" });
    assert.equal(response.status, 201);
    assert.deepEqual(((await response.json()) as any).spec.env, { A: "1" });
  });
  it("may use a few anchors", async () => {
    const { send } = testApp();
    const response = await send("POST", path, manifest("  env: {A: &v x, B: *v}\n"), yaml);
    assert.deepEqual(((await response.json()) as any).spec.env, { A: "x", B: "x" });
  });
  it("is written on request", async () => {
    const { send } = testApp();
    await send("POST", path, workspace("a"));
    const response = await send("GET", `${path}/a`, undefined, { accept: "application/yaml" });
    assert.equal(response.headers.get("content-type"), "application/yaml");
    assert.match(await response.text(), /^apiVersion: vendetta\.dev\/v1alpha1\nkind: Workspace\n/);
  });

  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]", ..."bcdefghi".split("").map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`)].join("\n");
  const wide = `a: &a ${"x".repeat(100_000)}\nb: [${Array(99).fill("*a").join(",")}]`;
  for (const [what, text, code] of [
    ["a bomb of aliases", bomb, 400],
    ["a large text used many times", wide, 413],
    ["a deep flow", "[".repeat(1_000_000), 400],
    ["a deep flow, closed", `a: ${"[".repeat(50_000)}${"]".repeat(50_000)}`, 400],
    ["deep maps", `a: ${"{a: ".repeat(50_000)}`, 400],
    ["deep inline lists", "- ".repeat(500_000), 400],
    ["deep indentation", Array.from({ length: 2000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), 400],
    ["two documents", `${manifest("")}---\n${manifest("")}`, 400],
    ["no YAML", "a: [", 400],
    ["a key twice", "a: 1\na: 2", 400],
    ["an alias of nothing", "a: *b", 400],
    ["an alias of itself, which has no end", "a: &a [*a]", 413],
    ["__proto__", manifest("  __proto__: {polluted: true}\n"), 400],
    ["a merge of __proto__", manifest("  <<: {__proto__: {polluted: true}}\n"), 400],
    ["constructor", manifest("  env: {constructor: x}\n"), 400],
  ] as const) {
    it(`that is ${what} is refused with ${code}, soon`, async () => {
      const { send } = testApp();
      const begun = performance.now();
      const response = await send("POST", path, text, yaml);
      assert.equal(response.status, code, await response.text());
      assert.ok(performance.now() - begun < 5000, `took ${performance.now() - begun} ms`);
      assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    });
  }
});

describe("a JSON body", () => {
  for (const [what, text] of [
    ["__proto__ in the spec", '{"metadata":{"name":"a"},"spec":{"provider":"docker","image":"x","__proto__":{"polluted":true}}}'],
    ["__proto__ at the root", '{"__proto__":{"polluted":true},"metadata":{"name":"a"},"spec":{}}'],
    ["__proto__ in metadata", '{"metadata":{"name":"a","__proto__":{"namespace":"x"}},"spec":{}}'],
    ["constructor", '{"metadata":{"name":"a","labels":{"constructor":"x"}},"spec":{}}'],
    ["deep nesting", `{"metadata":{"name":"a"},"spec":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`],
    ["deep nesting, not closed", "[".repeat(1_000_000)],
  ] as const) {
    it(`with ${what} is refused`, async () => {
      const { send } = testApp();
      const response = await send("POST", path, text);
      assert.equal(response.status, 400, await response.text());
      assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    });
  }
  it("that is no UTF-8 is refused", async () => {
    const { app } = testApp();
    const response = await app(new Request(`http://localhost${path}`, { method: "POST", body: new Uint8Array([0x22, 0xff, 0x22]), headers: { "content-type": "application/json" } }));
    assert.equal(response.status, 400);
  });
  it("over 3 MB is refused, announced or not", async () => {
    const { send, app } = testApp();
    const large = JSON.stringify("x".repeat(bodyBytesMax));
    assert.equal((await send("POST", path, large, { "content-length": String(large.length) })).status, 413);
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 65536;
        controller.enqueue(new Uint8Array(65536).fill(32));
      },
    });
    const response = await app(new Request(`http://localhost${path}`, { method: "POST", body: endless, duplex: "half", headers: { "content-type": "application/json" } } as RequestInit));
    assert.equal(response.status, 413);
    assert.ok(pulled <= bodyBytesMax + 4 * 65536, "read on after the bound");
  });
  it("over 1.5 MB, the store's bound for an object, is refused", async () => {
    const { send } = testApp();
    const annotations = { note: "x".repeat(1_600_000) };
    assert.equal((await send("POST", path, workspace("a", {}, { annotations }))).status, 413);
  });
});

describe("a patch", () => {
  for (const [type, body] of [
    ["application/merge-patch+json", '{"spec":{"__proto__":{"polluted":true}}}'],
    ["application/merge-patch+json", '{"constructor":{"prototype":{"polluted":true}}}'],
    ["application/json-patch+json", '[{"op":"add","path":"/__proto__/polluted","value":true}]'],
    ["application/json-patch+json", '[{"op":"add","path":"/spec/constructor/prototype/polluted","value":true}]'],
    ["application/json-patch+json", '[{"op":"copy","from":"/__proto__","path":"/spec/env"}]'],
    ["application/json-patch+json", '[{"op":"add","path":"/spec/env","value":{"__proto__":{"polluted":true}}}]'],
    ["application/json-patch+json", "[1]"],
  ] as const) {
    it(`${body} is refused`, async () => {
      const { send } = testApp();
      await send("POST", path, workspace("a"));
      const response = await send("PATCH", `${path}/a`, body, { "content-type": type });
      assert.equal(response.status, 400, await response.text());
      assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    });
  }
  it("of too many operations is refused", async () => {
    const { send } = testApp();
    await send("POST", path, workspace("a"));
    const body = Array.from({ length: 10_001 }, () => ({ op: "test", path: "/kind", value: "Workspace" }));
    assert.equal((await send("PATCH", `${path}/a`, body, { "content-type": "application/json-patch+json" })).status, 413);
  });
});

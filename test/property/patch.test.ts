import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import jsonPatch from "fast-json-patch";
import { applyJsonPatch, mergePatch, patchOperationsMax } from "../../src/api/patch.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { check } from "./check.ts";

const key = fc.constantFrom("a", "b", "c", "a/b", "m~n", "", "toString");
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof({ maxDepth: 4, withCrossShrink: true }, fc.constantFrom(0, 1, true, "x", ""), fc.array(tie("json"), { maxLength: 3 }), fc.dictionary(key, tie("json"), { maxKeys: 4, noNullPrototype: true })),
}));
/** As in RFC 7386: an object may also hold null, which removes. */
const { patch } = fc.letrec<{ patch: unknown }>((tie) => ({
  patch: fc.oneof({ maxDepth: 4, withCrossShrink: true }, fc.constantFrom(null, 1, "y"), json, fc.dictionary(key, tie("patch"), { maxKeys: 4, noNullPrototype: true })),
}));

/** The pseudo code of RFC 7386, section 2, word by word. */
function model(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result = new Map(typeof target === "object" && target !== null && !Array.isArray(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, model(result.get(name), value));
  }
  return Object.fromEntries(result);
}

test("merge patch is RFC 7386's, and leaves target and patch alone", () => {
  check(fc.property(json, patch, (target, change) => {
    const before = JSON.stringify([target, change]);
    assert.deepEqual(mergePatch(target, change), model(target, change));
    assert.equal(JSON.stringify([target, change]), before);
  }));
});

test("merging twice is merging once", () => {
  check(fc.property(json, patch, (target, change) => {
    const once = mergePatch(target, change);
    assert.deepEqual(mergePatch(once, change), once);
  }));
});

test("a JSON patch made by comparing turns the one into the other, and leaves both alone", () => {
  const object = fc.dictionary(key, json, { maxKeys: 5, noNullPrototype: true });
  check(fc.property(object, object, (from, to) => {
    const before = JSON.stringify([from, to]);
    assert.deepEqual(applyJsonPatch(from, jsonPatch.compare(from, to)), to);
    assert.equal(JSON.stringify([from, to]), before);
  }));
});

test("whatever the operations, the answer is a value or a StatusError, the target is as it was, and no prototype has changed", () => {
  const pointer = fc.array(fc.oneof(key, fc.constantFrom("0", "1", "-", "__proto__", "constructor", "prototype", "01")), { maxLength: 4 }).map((parts) => parts.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""));
  const operation = fc.record({ op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "nonsense"), path: fc.oneof(pointer, fc.constant("no slash")), from: pointer, value: json }, { requiredKeys: ["op"] });
  check(fc.property(json, fc.array(fc.oneof(operation, fc.constant(null)), { maxLength: 6 }), (target, operations) => {
    const before = JSON.stringify([target, operations]);
    try {
      applyJsonPatch(target, operations);
    } catch (error) {
      assert.ok(error instanceof StatusError, String((error as Error).stack));
      assert.ok(["Invalid", "BadRequest"].includes(error.reason), error.reason);
    }
    assert.equal(JSON.stringify([target, operations]), before);
    assert.deepEqual([Object.keys(Object.prototype), Object.keys(Array.prototype)], [[], []]);
  }));
});

test("__proto__, constructor and prototype are refused wherever they stand", () => {
  for (const name of ["__proto__", "constructor", "prototype"]) {
    const evil = JSON.parse(`{"a":[{"${name}":{"polluted":1}}]}`) as object;
    const refused = (run: () => unknown) => assert.throws(run, (error) => error instanceof StatusError && error.reason === "BadRequest" && error.message.includes(name));
    refused(() => mergePatch({}, evil));
    refused(() => applyJsonPatch({}, [{ op: "add", path: "/x", value: evil }]));
    refused(() => applyJsonPatch({}, [{ op: "add", path: `/${name}/polluted`, value: 1 }]));
    refused(() => applyJsonPatch({}, [{ op: "copy", path: "/x", from: `/${name}` }]));
  }
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test("bounds: operations, depth, what copies may make", () => {
  const tooMany = Array.from({ length: patchOperationsMax + 1 }, () => ({ op: "test", path: "", value: {} }));
  assert.throws(() => applyJsonPatch({}, tooMany), (error) => error instanceof StatusError && error.reason === "RequestEntityTooLarge");
  const doubling = Array.from({ length: 60 }, (_, i) => ({ op: "copy", from: "", path: `/${i}` }));
  assert.throws(() => applyJsonPatch({ a: "x".repeat(100) }, doubling), (error) => error instanceof StatusError && error.reason === "RequestEntityTooLarge");
  let deep: unknown = 1;
  for (let i = 0; i < 10_000; i++) deep = { a: deep };
  assert.throws(() => mergePatch({}, deep), (error) => error instanceof StatusError && error.reason === "BadRequest");
});

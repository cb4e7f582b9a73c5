import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergePatch } from "../../src/api/patch.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { strategicMergePatch, type PatchStrategies } from "../../src/api/strategic-merge-patch.ts";
import { check } from "./check.ts";

const strategies: PatchStrategies = { keyed: { mergeKey: "id" }, set: "set", "in.keyed": { mergeKey: "id" } };
const key = fc.constantFrom("a", "b", "c", "plain");
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.constantFrom(0, 1, true, "x", ""), fc.array(tie("json"), { maxLength: 3 }), fc.dictionary(key, tie("json"), { maxKeys: 4, noNullPrototype: true })),
}));
/** As a merge patch: also null, which removes. */
const { patch } = fc.letrec<{ patch: unknown }>((tie) => ({
  patch: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.constantFrom(null, 1, "y"), json, fc.dictionary(key, tie("patch"), { maxKeys: 4, noNullPrototype: true })),
}));
const object = fc.dictionary(key, json, { maxKeys: 4, noNullPrototype: true });
const objectPatch = fc.dictionary(key, patch, { maxKeys: 4, noNullPrototype: true });
const id = fc.constantFrom<string>("k1", "k2", "k3", "k4", "k5");
const entry = fc.record({ id, x: fc.integer({ min: 0, max: 3 }), y: fc.integer({ min: 0, max: 3 }) }, { requiredKeys: ["id"], noNullPrototype: true });
const entries = fc.uniqueArray(entry, { selector: (each) => each.id, maxLength: 5 });

type Entry = { readonly id: string; readonly x?: number; readonly y?: number };
const keyedOf = (target: readonly Entry[], change: readonly object[], more: object = {}) => (strategicMergePatch({ keyed: target }, { keyed: change, ...more }, strategies) as { keyed: Entry[] }).keyed;

test("without lists that are merged it is a merge patch, and leaves target and patch alone", () => {
  check(fc.property(object, objectPatch, (target, change) => {
    const before = JSON.stringify([target, change]);
    assert.deepEqual(strategicMergePatch(target, change, strategies), mergePatch(target, change));
    assert.equal(JSON.stringify([target, change]), before);
  }));
});

test("entries of a keyed list are merged by their key; the others stay, in the order they had", () => {
  check(fc.property(entries, entries, (target, change) => {
    const result = keyedOf(target, change);
    const expected = new Map<string, Entry>([...target, ...change].map((each) => [each.id, { ...target.find((old) => old.id === each.id), ...change.find((now) => now.id === each.id) } as Entry]));
    assert.deepEqual(new Map<string, Entry>(result.map((each) => [each.id, each])), expected);
    assert.equal(result.length, expected.size);
    const named = new Set(change.map((each) => each.id));
    const order = (list: readonly Entry[], of: (each: Entry) => boolean) => list.filter(of).map((each) => each.id);
    assert.deepEqual(order(result, (each) => !named.has(each.id)), order(target, (each) => !named.has(each.id)));
    assert.deepEqual(order(result, (each) => named.has(each.id)), change.map((each) => each.id), "those it names are in its order");
    assert.deepEqual(keyedOf(result, change), result, "twice is once");
  }));
});

test("$patch: delete takes exactly the entries of those keys out, $patch: replace leaves exactly the patch's", () => {
  check(fc.property(entries, entries, (target, change) => {
    const gone = new Set(change.map((each) => each.id));
    assert.deepEqual(keyedOf(target, change.map((each) => ({ id: each.id, $patch: "delete" }))), target.filter((each) => !gone.has(each.id)));
    assert.deepEqual(keyedOf(target, [{ $patch: "replace" }, ...change]), change);
  }));
});

test("$setElementOrder orders what it names", () => {
  check(fc.property(entries, entries, fc.shuffledSubarray(["k1", "k2", "k3", "k4", "k5"]), (target, change, order) => {
    const result = keyedOf(target, change, { "$setElementOrder/keyed": order.map((each) => ({ id: each })) }).map((each) => each.id);
    assert.deepEqual(result.filter((each) => order.includes(each)), order.filter((each) => result.includes(each)));
    assert.deepEqual([...result].sort(), [...new Set([...target, ...change].map((each) => each.id))].sort());
  }));
});

test("a set takes values in once and gives them up by $deleteFromPrimitiveList", () => {
  const values = fc.uniqueArray(fc.constantFrom("p", "q", "r", "s"), { maxLength: 4 });
  check(fc.property(values, values, values, (target, added, gone) => {
    const { set } = strategicMergePatch({ set: target }, { set: added, "$deleteFromPrimitiveList/set": gone }, strategies) as { set: string[] };
    assert.deepEqual([...set].sort(), [...new Set([...target, ...added])].filter((each) => !gone.includes(each)).sort());
  }));
});

test("$retainKeys leaves only those, and $patch of an object replaces or empties it", () => {
  const result = (change: object) => strategicMergePatch({ in: { a: 1, b: 2, keyed: [{ id: "k1" }] } }, change, strategies);
  assert.deepEqual(result({ in: { $retainKeys: ["a", "c"], c: 3 } }), { in: { a: 1, c: 3 } });
  assert.deepEqual(result({ in: { $patch: "replace", c: 3, d: null } }), { in: { c: 3 } });
  assert.deepEqual(result({ in: { $patch: "delete" } }), { in: {} });
  assert.deepEqual(result({ in: { $patch: "merge", b: null, keyed: [{ id: "k1", x: 1 }] } }), { in: { a: 1, keyed: [{ id: "k1", x: 1 }] } });
  for (const bad of [{ in: { $patch: "sideways" } }, { in: { $retainKeys: ["a"], c: 3 } }, { in: { $retainKeys: 1 } }, { keyed: [{ x: 1 }] }, { keyed: [1] }, { keyed: [{ id: "k1", $patch: 1 }] }, { "$setElementOrder/keyed": 1, keyed: [] }]) {
    assert.throws(() => result(bad), (error) => error instanceof StatusError && error.reason === "BadRequest", JSON.stringify(bad));
  }
});

test("whatever is patched with whatever, the answer is an object or a StatusError, and nothing else has changed", () => {
  const name = fc.constantFrom("a", "keyed", "set", "in", "id", "$patch", "$retainKeys", "$setElementOrder/keyed", "$setElementOrder/set", "$deleteFromPrimitiveList/set", "$deleteFromPrimitiveList/keyed", "__proto__", "constructor");
  const { wild } = fc.letrec<{ wild: unknown }>((tie) => ({
    wild: fc.oneof({ maxDepth: 5, withCrossShrink: true }, fc.constantFrom(null, 1, "a", "replace", "delete", "merge", "k1"), fc.array(tie("wild"), { maxLength: 4 }), fc.array(fc.tuple(name, tie("wild")), { maxLength: 5 }).map((fields) => JSON.parse(`{${fields.map(([field, value]) => `${JSON.stringify(field)}:${JSON.stringify(value)}`).join(",")}}`) as unknown)),
  }));
  check(fc.property(wild, wild, (target, change) => {
    const before = JSON.stringify([target, change]);
    try {
      assert.equal(typeof strategicMergePatch(target, change, strategies), "object");
    } catch (error) {
      assert.ok(error instanceof StatusError, String((error as Error).stack));
    }
    assert.equal(JSON.stringify([target, change]), before);
    assert.deepEqual([Object.keys(Object.prototype), Object.keys(Array.prototype)], [[], []]);
  }), 1000);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergePatch } from "../../src/api/patch.ts";
import { threeWayMerge } from "../../src/api/three-way-merge.ts";
import { check } from "./check.ts";

type Fields = Record<string, unknown>;
const key = fc.constantFrom("a", "b", "c", "toString", "example.com/app");
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.constantFrom(0, 1, true, "x", ""), fc.array(tie("json"), { maxLength: 2 }), fc.dictionary(key, tie("json"), { maxKeys: 4, noNullPrototype: true })),
}));
/** An object as a manifest without nulls writes it, or as a server keeps it. */
const object = fc.dictionary(key, json, { maxKeys: 4, noNullPrototype: true });
const original = fc.option(object, { nil: undefined });

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** evanphx/json-patch CreateMergePatch, as k8s.io/apimachinery uses it: the RFC 7386 patch from one object to another. */
function twoWay(from: Fields, to: Fields): Fields {
  const patch: Fields = {};
  for (const [name, value] of Object.entries(to)) {
    const before = Object.hasOwn(from, name) ? from[name] : undefined;
    if (isFields(before) && isFields(value)) {
      const inner = twoWay(before, value);
      if (Object.keys(inner).length > 0) patch[name] = inner;
    } else if (JSON.stringify(sorted(before)) !== JSON.stringify(sorted(value))) patch[name] = value;
  }
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) patch[name] = null;
  return patch;
}

/** jsonmergepatch.keepOrDeleteNullInObj. */
function filtered(patch: Fields, keepNulls: boolean): Fields {
  const kept: Fields = {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      if (keepNulls) kept[name] = null;
    } else if (!isFields(value)) {
      if (!keepNulls) kept[name] = value;
    } else if (Object.keys(value).length === 0) {
      if (!keepNulls) kept[name] = value;
    } else {
      const inner = filtered(value, keepNulls);
      if (Object.keys(inner).length > 0) kept[name] = inner;
    }
  }
  return kept;
}

/** Two patches one after the other as one. */
function both(first: Fields, second: Fields): Fields {
  const merged: Fields = { ...first };
  for (const [name, value] of Object.entries(second)) merged[name] = isFields(merged[name]) && isFields(value) ? both(merged[name], value) : value;
  return merged;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, sorted(each)]));
}

/** jsonmergepatch.CreateThreeWayJSONMergePatch, step by step. */
function model(before: Fields | undefined, desired: Fields, current: Fields): Fields {
  return both(filtered(twoWay(before ?? {}, desired), true), filtered(twoWay(current, desired), false));
}

test("what it makes of an object is what kubectl's patch makes of it", () => {
  check(fc.property(original, object, object, (before, desired, current) => {
    assert.deepEqual(mergePatch(current, threeWayMerge(before, desired, current)), mergePatch(current, model(before, desired, current)));
  }), 1000);
});

test("afterwards all that is desired is there, nothing that was taken out is, and all else is as it was", () => {
  const holds = (before: unknown, desired: unknown, current: unknown, result: unknown, path: string): void => {
    if (!isFields(desired)) return assert.deepEqual(result, desired, path);
    assert.ok(isFields(result), path);
    const old = isFields(before) ? before : {};
    const now = isFields(current) ? current : {};
    for (const [name, value] of Object.entries(desired)) holds(own(old, name), value, own(now, name), own(result, name), `${path}.${name}`);
    for (const name of Object.keys(now)) {
      if (Object.hasOwn(desired, name)) continue;
      if (Object.hasOwn(old, name)) assert.ok(!Object.hasOwn(result, name), `${path}.${name} was taken out`);
      else assert.deepEqual(own(result, name), now[name], `${path}.${name} is somebody else's`);
    }
  };
  const own = (fields: Fields, name: string) => (Object.hasOwn(fields, name) ? fields[name] : undefined);
  check(fc.property(original, object, object, (before, desired, current) => {
    holds(before, desired, current, mergePatch(current, threeWayMerge(before, desired, current)), "");
  }), 1000);
});

test("applying the same again changes nothing, and nothing handed in is changed", () => {
  check(fc.property(original, object, object, (before, desired, current) => {
    const text = JSON.stringify([before, desired, current]);
    const after = mergePatch(current, threeWayMerge(before, desired, current)) as Fields;
    assert.deepEqual(threeWayMerge(desired, desired, after), {});
    assert.equal(JSON.stringify([before, desired, current]), text);
  }));
});

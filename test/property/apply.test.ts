import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { applyConfiguration, type Applied } from "../../src/api/apply/apply-configuration.ts";
import { compareValues } from "../../src/api/apply/compare-values.ts";
import { difference, hasPath, intersection, noFields, pathsOf, union, type FieldSet } from "../../src/api/apply/field-set.ts";
import { decodeFields, encodeFields } from "../../src/api/apply/fields-v1.ts";
import { listCauses } from "../../src/api/apply/list-items.ts";
import type { Manager } from "../../src/api/apply/managers.ts";
import { mergeConfiguration } from "../../src/api/apply/merge-configuration.ts";
import { mergeSchemaFrom } from "../../src/api/apply/merge-schema.ts";
import { fieldsOf } from "../../src/api/apply/owned-fields.ts";
import { trackUpdate } from "../../src/api/apply/track-update.ts";
import { jsonEqual } from "../../src/base/json-equal.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { check } from "./check.ts";

/** Every way to merge there is. */
const schema = mergeSchemaFrom({
  type: "object",
  properties: {
    image: { type: "string" },
    cpu: { "x-kubernetes-int-or-string": true },
    command: { type: "array", items: { type: "string" } },
    selector: { type: "object", additionalProperties: { type: "string" }, "x-kubernetes-map-type": "atomic" },
    env: { type: "object", additionalProperties: { type: "string" } },
    finalizers: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
    check: { type: "object", properties: { path: { type: "string" }, deep: { type: "object", properties: { port: { type: "integer" } } } } },
    ports: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["port", "protocol"],
      items: { type: "object", properties: { port: { type: "integer" }, protocol: { type: "string", default: "TCP" }, name: { type: "string" }, tags: { type: "object", additionalProperties: { type: "string" } } } },
    },
  },
});

type Value = Readonly<Record<string, unknown>>;
const word = fc.constantFrom("x", "y", "z");
const map = fc.dictionary(fc.constantFrom("a", "b", "toString", "c/d"), word, { minKeys: 1, maxKeys: 3, noNullPrototype: true });
const ports = fc.uniqueArray(
  fc.record({ port: fc.constantFrom(80, 443, 22), protocol: fc.constantFrom("TCP", "UDP"), name: word, tags: map }, { requiredKeys: ["port"], noNullPrototype: true }),
  { minLength: 1, maxLength: 3, selector: ({ port, protocol = "TCP" }) => `${port}${protocol}` },
);
const value = fc.record(
  {
    image: word,
    cpu: fc.constantFrom<string | number>(2, "2", "3"),
    command: fc.array(word, { maxLength: 2 }),
    selector: map,
    env: map,
    finalizers: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
    check: fc.record({ path: word, deep: fc.record({ port: fc.constantFrom(1, 2) }, { noNullPrototype: true }) }, { requiredKeys: ["path"], noNullPrototype: true }),
    ports,
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<Value>;

const now = "2026-01-01T00:00:00Z";
const applierOf = (name: string) => ({ name, operation: "Apply", apiVersion: "v1", subresource: "" }) as const;

interface State {
  readonly live: unknown;
  readonly managers: readonly Manager[];
}
const empty: State = { live: {}, managers: [] };

function apply({ live, managers }: State, name: string, configuration: Value, force = true): State {
  const { merged, managers: next }: Applied = applyConfiguration({ schema, live, configuration, managers, applier: applierOf(name), force, takeable: noFields, now });
  return { live: merged, managers: next };
}

const fieldsOfManager = ({ managers }: State, name: string): FieldSet => managers.find((each) => each.name === name)?.fields ?? noFields;
const texts = (set: FieldSet): string[] => [...pathsOf(set)].map((path) => path.join(" ")).sort();
const owners = (state: State) => Object.fromEntries(state.managers.map(({ name, operation, fields }) => [`${operation} ${name}`, texts(fields)]));
/** A state in which three managers, one of them with updates, have had their turns. */
const state = fc.array(fc.tuple(fc.constantFrom("a", "b", "update"), value), { maxLength: 5 }).map((turns) =>
  turns.reduce<State>((before, [name, each]) => {
    if (name !== "update") return apply(before, name, each);
    return { live: each, managers: trackUpdate({ schema, before: before.live, after: each, managers: before.managers, writer: { ...applierOf("u"), operation: "Update" }, now }) };
  }, empty),
);

test("applying the same twice is applying it once", () => {
  check(fc.property(state, value, (before, configuration) => {
    const once = apply(before, "a", configuration);
    const twice = apply(once, "a", configuration);
    assert.deepEqual(twice.live, once.live);
    assert.deepEqual(owners(twice), owners(once));
    assert.deepEqual(apply(once, "a", configuration, false).live, once.live, "and nobody is in its way");
  }), 500);
});

test("afterwards the object is as the configuration says, and the applier owns exactly what it names", () => {
  check(fc.property(state, value, (before, configuration) => {
    const after = apply(before, "a", configuration);
    assert.deepEqual(texts(fieldsOfManager(after, "a")), texts(fieldsOf(schema, configuration)));
    const { added, modified } = compareValues(schema, after.live, mergeConfiguration(schema, after.live, configuration));
    assert.deepEqual([texts(added), texts(modified)], [[], []]);
  }), 500);
});

test("what the others own is as it was, but for what was taken from them", () => {
  check(fc.property(state, value, (before, configuration) => {
    const after = apply(before, "a", configuration);
    const { added, modified, removed } = compareValues(schema, before.live, after.live);
    for (const { name, operation, fields } of before.managers) {
      if (name === "a" && operation === "Apply") continue;
      const left = after.managers.find((each) => each.name === name && each.operation === operation)?.fields ?? noFields;
      assert.deepEqual(texts(left), texts(difference(difference(fields, union(added, modified)), removed)));
      // Nothing of it went but with the list item or map entry it was in.
      for (const path of pathsOf(intersection(fields, removed))) assert.ok(path.some((_, i) => i < path.length - 1 && hasPath(removed, path.slice(0, i + 1))), path.join(" "));
    }
  }), 500);
});

test("a conflict is told for exactly the fields that others own and that would change", () => {
  check(fc.property(state, value, (before, configuration) => {
    const known = before.managers.length > 0 ? before.managers : trackUpdate({ schema, before: {}, after: before.live, managers: [], writer: { ...applierOf("before-first-apply"), operation: "Update" }, now });
    const { added, modified } = compareValues(schema, before.live, mergeConfiguration(schema, before.live, configuration));
    const expected = known.filter(({ name, operation }) => name !== "a" || operation !== "Apply").flatMap(({ fields }) => texts(intersection(fields, union(added, modified))));
    try {
      apply(before, "a", configuration, false);
      assert.deepEqual(expected, []);
    } catch (error) {
      assert.ok(error instanceof StatusError && error.reason === "Conflict", String(error));
      assert.equal(error.details.causes!.length, expected.length);
      assert.ok(expected.length > 0);
    }
  }), 500);
});

test("managers of different fields come to the same in any order, and never meet", () => {
  const parts = fc.tuple(value, fc.func(fc.boolean())).map(([whole, mine]) => {
    const entries = Object.entries(whole);
    return [Object.fromEntries(entries.filter(([key]) => mine(key))), Object.fromEntries(entries.filter(([key]) => !mine(key)))] as const;
  });
  check(fc.property(parts, ([left, right]) => {
    const one = apply(apply(empty, "a", left), "b", right, false);
    const two = apply(apply(empty, "b", right), "a", left, false);
    assert.ok(jsonEqual(one.live, two.live));
    assert.deepEqual(owners(one), owners(two));
    assert.ok(jsonEqual(one.live, { ...left, ...right }));
  }));
});

test("who stops naming a field lets it go: it is gone when nobody else owns it, and stays when somebody does", () => {
  check(fc.property(value, value, fc.boolean(), (first, second, shared) => {
    const before = shared ? apply(apply(empty, "a", first), "b", first) : apply(empty, "a", first);
    const after = apply(before, "a", second);
    const { removed } = compareValues(schema, before.live, after.live);
    if (shared) {
      const lost = difference(fieldsOf(schema, first), fieldsOfManager(after, "b"));
      const { added, modified } = compareValues(schema, first, after.live);
      assert.deepEqual(texts(lost), texts(intersection(fieldsOf(schema, first), union(added, modified))), "b loses only what a has set anew");
      assert.deepEqual(texts(removed), []);
    } else {
      assert.deepEqual(texts(fieldsOf(schema, after.live)), texts(fieldsOf(schema, second)));
    }
  }), 500);
});

test("merged lists have the configuration's items in its order, and the others in theirs", () => {
  const keys = fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 8 });
  check(fc.property(keys, keys, (live, wanted) => {
    const item = (port: number) => ({ port });
    const merged = (mergeConfiguration(schema, { ports: live.map(item) }, { ports: wanted.map(item) }) as { ports: { port: number }[] }).ports.map(({ port }) => port);
    assert.deepEqual(merged.filter((each) => wanted.includes(each)), wanted);
    assert.deepEqual(merged.filter((each) => !wanted.includes(each)), live.filter((each) => !wanted.includes(each)));
    assert.equal(merged.length, new Set([...live, ...wanted]).size);
    if (wanted.every((each, i) => live[i] === each)) assert.deepEqual(merged, live);
  }), 1000);
});

test("comparing is exact: nothing differs between equals, and what differs is named on one side only", () => {
  check(fc.property(value, value, (before, after) => {
    const { added, modified, removed } = compareValues(schema, before, after);
    assert.deepEqual([...pathsOf(intersection(added, removed)), ...pathsOf(intersection(added, modified)), ...pathsOf(intersection(modified, removed))], []);
    const back = compareValues(schema, after, before);
    assert.deepEqual([texts(back.added), texts(back.modified), texts(back.removed)], [texts(removed), texts(modified), texts(added)]);
    const same = compareValues(schema, before, structuredClone(before));
    assert.deepEqual([same.added.size, same.modified.size, same.removed.size], [0, 0, 0]);
    assert.deepEqual(texts(difference(fieldsOf(schema, after), union(added, modified))), texts(intersection(difference(fieldsOf(schema, after), union(added, modified)), fieldsOf(schema, before))));
  }), 500);
});

test("sets: union, intersection and difference are those of the paths; what is written reads back the same", () => {
  const set = value.map((each) => compareValues(schema, {}, each).added);
  check(fc.property(set, set, (a, b) => {
    const [left, right] = [new Set(texts(a)), new Set(texts(b))];
    assert.deepEqual(texts(union(a, b)), [...new Set([...left, ...right])].sort());
    assert.deepEqual(texts(intersection(a, b)), [...left].filter((each) => right.has(each)).sort());
    assert.deepEqual(texts(difference(a, b)), [...left].filter((each) => !right.has(each)).sort());
    const read = decodeFields(JSON.parse(JSON.stringify(encodeFields(difference(a, b)))));
    assert.deepEqual(texts(read!), texts(difference(a, b)));
  }), 500);
});

test("whatever the values, no prototype is touched, nothing handed in is changed, and only conflicts are thrown", () => {
  const key = fc.constantFrom("image", "env", "ports", "finalizers", "check", "__proto__", "constructor", "port", "path");
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof({ maxDepth: 4 }, fc.constantFrom<unknown>(0, 1, true, "x", null), fc.array(tie("json"), { maxLength: 3 }), fc.dictionary(key, tie("json"), { maxKeys: 4, noNullPrototype: true })),
  }));
  // As it comes over the wire: JSON.parse makes an own field of __proto__.
  const wire = fc.dictionary(key, json, { maxKeys: 4, noNullPrototype: true }).map((each) => JSON.parse(JSON.stringify(each)) as Value);
  check(fc.property(wire, wire, fc.boolean(), (live, configuration, force) => {
    const text = JSON.stringify([live, configuration]);
    listCauses(schema, configuration);
    try {
      const after = apply(apply({ live, managers: [] }, "a", configuration, force), "a", {}, force);
      decodeFields(encodeFields(fieldsOf(schema, after.live)));
    } catch (error) {
      assert.ok(error instanceof StatusError && error.reason === "Conflict", String((error as Error).stack));
    }
    assert.equal(JSON.stringify([live, configuration]), text);
    assert.deepEqual([Object.keys(Object.prototype), Object.keys(Array.prototype)], [[], []]);
    assert.equal(({} as { image?: unknown }).image, undefined);
  }), 1000);
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lastApplied, lastAppliedAnnotation, lastAppliedNote, threeWayMerge } from "../../src/api/three-way-merge.ts";

interface Row {
  readonly what: string;
  readonly original: object | undefined;
  readonly desired: object;
  readonly current: object;
  readonly patch: object;
}

const rows: readonly Row[] = [
  { what: "nothing to do", original: { a: 1 }, desired: { a: 1 }, current: { a: 1, b: 2 }, patch: {} },
  { what: "a changed field is set", original: { a: 1 }, desired: { a: 2 }, current: { a: 1 }, patch: { a: 2 } },
  { what: "a field somebody changed is set back", original: { a: 1 }, desired: { a: 1 }, current: { a: 9 }, patch: { a: 1 } },
  { what: "a field somebody took away comes back", original: { a: 1 }, desired: { a: 1 }, current: {}, patch: { a: 1 } },
  { what: "a new field is set", original: {}, desired: { a: { b: 1 } }, current: {}, patch: { a: { b: 1 } } },
  { what: "a field taken out of the manifest goes", original: { a: 1, b: 1 }, desired: { a: 1 }, current: { a: 1, b: 1 }, patch: { b: null } },
  { what: "so does a whole block, with what others put into it", original: { a: { x: 1 } }, desired: {}, current: { a: { x: 1, theirs: 2 } }, patch: { a: null } },
  { what: "of a block that stays, only what was taken out goes", original: { a: { x: 1, y: 1 } }, desired: { a: { x: 1 } }, current: { a: { x: 1, y: 1, theirs: 2 } }, patch: { a: { y: null } } },
  { what: "what is gone already is not taken away again", original: { a: 1, b: 1 }, desired: { a: 1 }, current: { a: 1 }, patch: {} },
  { what: "a server's default stays", original: { env: { A: "1" } }, desired: { env: { A: "1" } }, current: { env: { A: "1" }, restartPolicy: "Always" }, patch: {} },
  { what: "what others set stays", original: { labels: { mine: "1" } }, desired: { labels: { mine: "2" } }, current: { labels: { mine: "1", theirs: "x" } }, patch: { labels: { mine: "2" } } },
  { what: "never applied before: nothing is taken away", original: undefined, desired: { a: 1 }, current: { a: 0, b: 1 }, patch: { a: 1 } },
  { what: "a list is one value", original: { l: [1, 2] }, desired: { l: [1, 3] }, current: { l: [1, 2] }, patch: { l: [1, 3] } },
  { what: "an equal list is left alone, whatever the order of keys in it", original: { l: [{ a: 1, b: 2 }] }, desired: { l: [{ b: 2, a: 1 }] }, current: { l: [{ a: 1, b: 2 }] }, patch: {} },
  { what: "a list becomes a map and back", original: { a: [1], b: { x: 1 } }, desired: { a: { x: 1 }, b: [1] }, current: { a: [1], b: { x: 1 } }, patch: { a: { x: 1 }, b: [1] } },
  { what: "an empty map is a value where there is none, and no wish where there is one", original: undefined, desired: { a: {}, b: {} }, current: { b: { x: 1 } }, patch: { a: {} } },
  { what: "a null that stands where a value was applied takes it away", original: { a: 1 }, desired: { a: null }, current: { a: 1 }, patch: { a: null } },
  { what: "a null for what is not there asks for nothing", original: undefined, desired: { a: null, b: { c: null, d: 1 } }, current: {}, patch: { b: { d: 1 } } },
  { what: "names of Object's own methods are names like any other", original: { toString: "a" }, desired: { valueOf: "b" }, current: { toString: "a" }, patch: { valueOf: "b", toString: null } },
];

describe("threeWayMerge", () => {
  for (const { what, original, desired, current, patch } of rows) {
    it(what, () => assert.deepEqual(threeWayMerge(original as Record<string, unknown> | undefined, desired as Record<string, unknown>, current as Record<string, unknown>), patch));
  }
});

describe("lastApplied", () => {
  const noted = (note: string) => ({ metadata: { annotations: { [lastAppliedAnnotation]: note } } });
  it("reads kubectl's annotation", () => assert.deepEqual(lastApplied(noted('{"kind":"Service"}\n')), { kind: "Service" }));
  it("is unknown where there is none", () => assert.equal(lastApplied({ metadata: {} }), undefined));
  for (const bad of ["", "{", "null", "[]", '"text"']) it(`is unknown where it says ${JSON.stringify(bad)}`, () => assert.equal(lastApplied(noted(bad)), undefined));
});

describe("lastAppliedNote", () => {
  // Taken from an object that kubectl 1.32.4 applied.
  it("is what kubectl writes", () => {
    assert.equal(
      lastAppliedNote({ kind: "Service", apiVersion: "v1", spec: { workspace: "w", command: ["sh", "a < b && c > d \u2028 ü"], dependsOn: [{ name: "x", condition: "Ready" }] }, metadata: { name: "a", annotations: {} } }),
      '{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{},"name":"a"},"spec":{"command":["sh","a \\u003c b \\u0026\\u0026 c \\u003e d \\u2028 ü"],"dependsOn":[{"condition":"Ready","name":"x"}],"workspace":"w"}}\n',
    );
  });
  it("is read back as what was applied", () => {
    const applied = { kind: "Service", spec: { command: ["<&>"], "10": 1, "9": 2 } };
    assert.deepEqual(lastApplied({ metadata: { annotations: { [lastAppliedAnnotation]: lastAppliedNote(applied) } } }), applied);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseJsonPath } from "../../src/api/jsonpath.ts";
import { parseJsonPathTemplate } from "../../src/api/jsonpath-template.ts";
import { humanDuration } from "../../src/api/human-duration.ts";
import { StatusError } from "../../src/api/status-error.ts";

const object = {
  kind: "Workspace",
  metadata: { name: "a", annotations: { "example.com/note": "hi", "a b": 1 }, labels: {} },
  spec: { image: "node:20", count: 3, on: true, none: null, "x-y": 1 },
  status: {
    conditions: [
      { type: "Ready", status: "True", message: "a ] ) } in it" },
      { type: "Placed", status: "False", generation: 2 },
    ],
    ports: [80, 443, 8080],
  },
};

describe("parseJsonPath", () => {
  const table: readonly (readonly [string, readonly unknown[]])[] = [
    [".spec.image", ["node:20"]],
    ["{.spec.image}", ["node:20"]],
    ["{ .spec.image }", ["node:20"]],
    ["$.spec.image", ["node:20"]],
    ["@.spec.image", ["node:20"]],
    ["spec.image", ["node:20"]],
    [".", [object]],
    ["$", [object]],
    [".spec.missing", []],
    [".spec.image.deeper", []],
    [".spec.none", [null]],
    [".spec.none.x", []],
    [".spec.x-y", [1]],
    [".spec['image']", ["node:20"]],
    ['.spec["image"]', ["node:20"]],
    [".spec['image','count']", ["node:20", 3]],
    [".metadata.annotations.example\\.com/note", ["hi"]],
    [".metadata.annotations['example.com/note']", ["hi"]],
    [".metadata.annotations['a b']", [1]],
    [".status.ports[0]", [80]],
    [".status.ports[-1]", [8080]],
    [".status.ports[3]", []],
    [".status.ports[-4]", []],
    [".status.ports[0,2]", [80, 8080]],
    [".status.ports[*]", [80, 443, 8080]],
    [".status.ports.*", [80, 443, 8080]],
    [".status.ports[0:2]", [80, 443]],
    [".status.ports[1:]", [443, 8080]],
    [".status.ports[:-1]", [80, 443]],
    [".status.ports[::2]", [80, 8080]],
    [".status.ports.length", []],
    [".metadata.labels.*", []],
    [".status.conditions[*].type", ["Ready", "Placed"]],
    ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
    [".status.conditions[?(@.type=='Ready')].status", ["True"]],
    ['.status.conditions[?( @.type == "Ready" )].status', ["True"]],
    ['.status.conditions[?(@.type!="Ready")].type', ["Placed"]],
    ['.status.conditions[?(@.type=="None")].status', []],
    [".status.conditions[?(@.generation)].type", ["Placed"]],
    [".status.conditions[?(@.generation>1)].type", ["Placed"]],
    [".status.conditions[?(@.generation<=1)].type", []],
    [".status.ports[?(@>100)]", [443, 8080]],
    [".status.ports[?(@==443)]", [443]],
    ['.status.conditions[?(@.message=="a ] ) } in it")].type', ["Ready"]],
    ["..type", ["Ready", "Placed"]],
    [".status..generation", [2]],
    [".constructor", []],
    [".__proto__", []],
    [".toString", []],
  ];
  for (const [path, expected] of table) {
    it(path, () => assert.deepEqual(parseJsonPath(path)(object), expected));
  }

  it("of the kinds' printer columns with several results gives all", () => {
    const node = { status: { providers: [{ name: "docker", usable: true }, { name: "lxc", usable: false }, { name: "host", usable: true }] } };
    assert.deepEqual(parseJsonPath(".status.providers[?(@.usable==true)].name")(node), ["docker", "host"]);
  });
  it("finds nothing in what is no object", () => {
    for (const value of [undefined, null, 1, "x", true]) assert.deepEqual(parseJsonPath(".a[0].b")(value), []);
  });
  it("survives a deep value", () => {
    let deep: unknown = { x: 1 };
    for (let i = 0; i < 50_000; i++) deep = { a: deep };
    assert.deepEqual(parseJsonPath("..x")(deep), [1]);
  });
  for (const bad of [".spec[", ".spec[']", ".spec['a'", ".a b", ".spec..", ".[?(@.a==)]", ".[?(@.a=='x']", ".[?()]", ".[?(@.a==00)]", ".a[x]", ".a[1:2:-1]", ".a[]", "{.a", ".a}", ".".padEnd(5000, "a")]) {
    it(`refuses ${bad.slice(0, 20)}`, () => assert.throws(() => parseJsonPath(bad), (error) => error instanceof StatusError && error.reason === "BadRequest"));
  }
});

describe("any text and any value", () => {
  const token = fc.constantFrom(".", "..", "[", "]", "*", "?(", ")", "@", "$", "'", '"', "==", "<", "0", "-1", ":", ",", "a", "b", "\\", " ", "{", "}", "true", "range ", "end");
  const quietly = (act: () => unknown) => {
    try {
      act();
    } catch (error) {
      assert.ok(error instanceof StatusError, String(error));
    }
  };
  it("give values or a StatusError, nothing else", () => {
    fc.assert(fc.property(fc.array(token, { maxLength: 12 }), fc.jsonValue(), (tokens, value) => {
      quietly(() => parseJsonPath(tokens.join(""))(value));
      quietly(() => parseJsonPathTemplate(tokens.join(""))(value));
    }), { numRuns: 3000 });
  });
  it("finds what is there by its quoted name", () => {
    fc.assert(fc.property(fc.string(), fc.jsonValue(), (name, value) => {
      const quoted = `'${name.replace(/[\\']/g, "\\$&")}'`;
      assert.deepEqual(parseJsonPath(`.a[${quoted}]`)({ a: Object.fromEntries([[name, value]]) }), [value]);
    }));
  });
});

describe("parseJsonPathTemplate", () => {
  const list = { items: [{ metadata: { name: "a" }, spec: { n: 1 } }, { metadata: { name: "b" }, spec: { n: 2 } }] };
  for (const [template, expected] of [
    ["{.items[*].metadata.name}", "a b"],
    [".items[0].metadata.name", "a"],
    ["{range .items[*]}{.metadata.name}={.spec.n}{\"\\n\"}{end}", "a=1\nb=2\n"],
    ["{range .items[*]}{.metadata.name}{'\\t'}{end}", "a\tb\t"],
    ["name: {.items[1].metadata.name}.", "name: b."],
    ["{.items[0].spec}", '{"n":1}'],
    ["{.nothing}", ""],
    ["{\"}\"}{.items[0].metadata.name}", "}a"],
    ['{.items[?(@.metadata.name=="b")].spec.n}', "2"],
  ] as const) {
    it(template, () => assert.equal(parseJsonPathTemplate(template)(list), expected));
  }
  for (const bad of ["{.a", "{end}", "{range .a}", "{\"x}"]) it(`refuses ${bad}`, () => assert.throws(() => parseJsonPathTemplate(bad), StatusError));
});

describe("humanDuration", () => {
  for (const [seconds, expected] of [
    [0, "0s"], [-1, "0s"], [-5, "<invalid>"], [119, "119s"], [120, "2m"], [310, "5m10s"], [600, "10m"], [179 * 60 + 59, "179m"], [3 * 3600, "3h"],
    [3 * 3600 + 300, "3h5m"], [9 * 3600, "9h"], [47 * 3600, "47h"], [48 * 3600, "2d"], [52 * 3600, "2d4h"], [9 * 86400, "9d"], [729 * 86400, "729d"],
    [730 * 86400, "2y"], [760 * 86400, "2y30d"], [9 * 365 * 86400, "9y"],
  ] as const) {
    // kubectl truncates -0.5 s and the like to 0s.
    it(`${seconds} s is ${expected}`, () => assert.equal(humanDuration(seconds * 1000 + (seconds === -1 ? 1 : 0)), expected));
  }
});

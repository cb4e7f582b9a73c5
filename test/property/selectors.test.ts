import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLabelSelector } from "../../src/api/label-selector.ts";
import { matchesFields, matchesLabels, parseFieldSelector } from "../../src/api/selectors.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { fieldSelectorText, labelSelectorText } from "../../src/client/selector-text.ts";
import { check } from "./check.ts";

const key = fc.constantFrom("app", "tier", "example.com/zone", "in", "notin", "a-b_c.d");
const value = fc.constantFrom("", "web", "db", "in", "notin", "1.2-x_y", "7", "10");
const labels = fc.dictionary(key, value, { noNullPrototype: true });
const space = fc.constantFrom("", " ", "  ");

/** A requirement as text, with what it means. */
interface Written {
  readonly text: string;
  readonly holds: (labels: Readonly<Record<string, string>>) => boolean;
}

const requirement: fc.Arbitrary<Written> = fc.oneof(
  fc.tuple(key, space, fc.constantFrom("=", "=="), space, value).map(([k, s, op, t, v]) => ({ text: `${k}${s}${op}${t}${v}`, holds: (l: Readonly<Record<string, string>>) => k in l && l[k] === v })),
  fc.tuple(key, space, value).map(([k, s, v]) => ({ text: `${k}${s}!=${s}${v}`, holds: (l: Readonly<Record<string, string>>) => !(k in l) || l[k] !== v })),
  fc.tuple(key, space, fc.array(value, { minLength: 1, maxLength: 3 })).map(([k, s, vs]) => ({ text: `${k} in ${s}(${vs.join(`,${s}`)})`, holds: (l: Readonly<Record<string, string>>) => k in l && vs.some((v) => v === l[k]) })),
  fc.tuple(key, space, fc.array(value, { minLength: 1, maxLength: 3 })).map(([k, s, vs]) => ({ text: `${k} notin${s}(${vs.join(`${s},`)})`, holds: (l: Readonly<Record<string, string>>) => !(k in l) || vs.every((v) => v !== l[k]) })),
  fc.tuple(key, space).map(([k, s]) => ({ text: `${k} ${s}in${s}()`, holds: (l: Readonly<Record<string, string>>) => l[k] === "" })),
  fc.tuple(key, space, fc.constantFrom(">", "<"), fc.constantFrom("0", "7", "12")).map(([k, s, op, n]) => ({
    text: `${k}${s}${op}${s}${n}`,
    holds: (l: Readonly<Record<string, string>>) => /^\d+$/.test(l[k] ?? "") && (op === ">" ? Number(l[k]) > Number(n) : Number(l[k]) < Number(n)),
  })),
  key.map((k) => ({ text: k, holds: (l: Readonly<Record<string, string>>) => k in l })),
  fc.tuple(key, space).map(([k, s]) => ({ text: `!${s}${k}`, holds: (l: Readonly<Record<string, string>>) => !(k in l) })),
);

test("a label selector selects what each of its parts says", () => {
  check(fc.property(fc.array(requirement, { maxLength: 4 }), space, labels, (parts, gap, given) => {
    const text = parts.map((part) => part.text).join(`${gap},${gap}`);
    assert.equal(matchesLabels(parseLabelSelector(text), given), parts.every((part) => part.holds(given)), `${text} of ${JSON.stringify(given)}`);
  }), 2000);
});

test("a label selector written out is the same selector", () => {
  check(fc.property(fc.array(requirement, { maxLength: 4 }), (parts) => {
    const selector = parseLabelSelector(parts.map((part) => part.text).join(","));
    assert.deepEqual(parseLabelSelector(labelSelectorText(selector)), selector);
  }), 1000);
});

test("a field selector written out is the same selector, whatever its values", () => {
  const part = fc.record({ path: fc.constantFrom("a", "b"), equal: fc.boolean(), value: fc.string({ unit: fc.constantFrom(..."ab=,\\! ()\né"), maxLength: 8 }) }, { noNullPrototype: true });
  check(fc.property(fc.array(part, { maxLength: 4 }), (selector) => {
    assert.deepEqual(parseFieldSelector(fieldSelectorText(selector), ["a", "b"]), selector);
  }), 1000);
});

test("any text is a selector or a BadRequest that repeats it", () => {
  const characters = fc.string({ unit: fc.constantFrom(..."ab=!,() in.-/<>1\\\u0000é"), maxLength: 20 });
  check(fc.property(characters, (text) => {
    for (const parse of [() => parseLabelSelector(text), () => parseFieldSelector(text, ["a", "b"])]) {
      try {
        parse();
      } catch (error) {
        assert.ok(error instanceof StatusError && error.reason === "BadRequest", String(error));
      }
    }
  }), 2000);
});

test("a field selector compares fields as text; an absent field is empty", () => {
  const path = fc.constantFrom("metadata.name", "spec.nodeName", "spec.on", "spec.count", "status.phase");
  const part = fc.tuple(path, fc.constantFrom("=", "==", "!="), fc.constantFrom("", "a", "true", "3"));
  const object = fc.record({ metadata: fc.record({ name: fc.constantFrom("a", "b") }), spec: fc.record({ nodeName: fc.constantFrom("a", ""), on: fc.boolean(), count: fc.constantFrom(3, 4) }, { requiredKeys: [] }) });
  check(fc.property(fc.array(part, { maxLength: 3 }), object, (parts, given) => {
    const selector = parseFieldSelector(parts.map((each) => each.join("")).join(","), ["metadata.name", "spec.nodeName", "spec.on", "spec.count", "status.phase"]);
    const texts: Record<string, unknown> = { "metadata.name": given.metadata.name, "spec.nodeName": given.spec.nodeName, "spec.on": given.spec.on, "spec.count": given.spec.count };
    const expected = parts.every(([at, op, wanted]) => (String(texts[at] ?? "") === wanted) === (op !== "!="));
    assert.equal(matchesFields(selector, given), expected);
  }), 1000);
});

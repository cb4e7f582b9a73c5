import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kindSchema, structuralSchema } from "../../src/api/crd.ts";
import type { KindDefinition } from "../../src/api/kind.ts";
import { objectMeta } from "../../src/api/meta.ts";
import { withDefaultsTold, type OpenApiSchema } from "../../src/api/openapi-schema.ts";
import { kindNames, kinds } from "../../src/api/registry.ts";

interface Field {
  readonly path: string;
  readonly name: string;
  readonly schema: OpenApiSchema;
}

function* fieldsIn(schema: OpenApiSchema, path: string): Generator<Field> {
  for (const [name, each] of Object.entries(schema.properties ?? {})) {
    yield { path: `${path}.${name}`, name, schema: each };
    yield* fieldsIn(each, `${path}.${name}`);
  }
  for (const inside of [schema.items, schema.additionalProperties]) if (inside !== undefined) yield* fieldsIn(inside, `${path}[]`);
}

/** What is wrong with the words on a field; undefined when nothing is. */
function troubleWith({ name, schema: { description = "", type } }: Field): string | undefined {
  if (description.length < 8) return "has no description";
  if (!/^[A-Z]\w*|^uid/.test(description) || !description.endsWith(".")) return "is described by what is no sentence";
  if (type === "integer" && name.endsWith("Seconds") && !/second/i.test(description)) return "does not say that it is in seconds";
  if (type === "string" && /(Time|Timestamp|At)$/.test(name) && !description.includes("RFC 3339")) return "does not say how the time is written";
  if (/^(memory|disk|size|cpu)$/.test(name) && !description.includes("quantity")) return "does not say that it is a quantity, and of what";
  return undefined;
}

describe("every field of a kind is described, with its unit:", () => {
  for (const name of kindNames) {
    it(name, () => {
      const fields = [...fieldsIn(kindSchema(kinds[name] as KindDefinition<never>, { description: "Metadata of the object." }), name)];
      assert.ok(fields.length >= 5);
      assert.deepEqual(fields.flatMap((field) => troubleWith(field) === undefined ? [] : [`${field.path} ${troubleWith(field)}`]), []);
    });
  }
  it("metadata", () => {
    assert.deepEqual([...fieldsIn(structuralSchema(objectMeta), "metadata")].flatMap((field) => troubleWith(field) === undefined ? [] : [`${field.path} ${troubleWith(field)}`]), []);
  });
  for (const [name, schema, trouble] of [
    ["a", { type: "string" }, /no description/],
    ["a", { type: "string", description: "some words without a point" }, /no sentence/],
    ["delaySeconds", { type: "integer", description: "How long to wait." }, /seconds/],
    ["startTime", { type: "string", description: "When it was started." }, /time is written/],
    ["memory", { type: "string", description: "Bytes of memory." }, /quantity/],
  ] as const) {
    it(`and ${JSON.stringify(schema)} of ${name} would be found`, () => assert.match(troubleWith({ path: name, name, schema }) ?? "", trouble));
  }
});

describe("defaults in words", () => {
  it("follow the description, at any depth; only plain ones", () => {
    const told = withDefaultsTold({
      properties: {
        port: { description: "A port.", default: 80 },
        list: { description: "A list.", default: [], items: { properties: { on: { description: "Whether.", default: false } } } },
        map: { additionalProperties: { default: "x" } },
        empty: { description: "Text.", default: "" },
      },
    });
    const { port, list, map, empty } = told.properties!;
    assert.deepEqual([port!.description, list!.description, list!.items!.properties!["on"]!.description, map!.additionalProperties!.description, empty!.description], ["A port. Default: 80.", "A list.", "Whether. Default: false.", "Default: x.", "Text."]);
  });
});

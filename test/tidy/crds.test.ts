import assert from "node:assert/strict";
import { test } from "node:test";
import { createCrd } from "../../src/api/crd.ts";
import type { KindDefinition } from "../../src/api/kind.ts";
import { kindPaths } from "../../src/api/paths.ts";
import { kindNames, kinds } from "../../src/api/registry.ts";
import { staleCrds } from "../../src/cli/generate-crds.ts";

test("crds/ is what the schemas say", async () => {
  assert.deepEqual(await staleCrds("crds"), [], "run 'node dist/src/cli/generate-crds.js'");
});

test("a missing or foreign file in crds/ is named", async () => {
  assert.deepEqual(await staleCrds("crds-that-are-not"), ["nodes.vendetta.dev.yaml", "workspaces.vendetta.dev.yaml", "services.vendetta.dev.yaml", "sources.vendetta.dev.yaml"]);
  assert.ok((await staleCrds("src/base")).includes("clock.ts"));
});

test("the light table of paths agrees with the registry", () => {
  const fromRegistry = Object.fromEntries(
    kindNames.map((name) => {
      const { group, version, plural, scope } = kinds[name] as KindDefinition<never>;
      return [name, { group, version, plural, namespaced: scope === "Namespaced" }];
    }),
  );
  assert.deepEqual({ ...kindPaths }, fromRegistry);
});

/** Rules of kubernetes.io, "Specifying a structural schema", that a generated file could break. */
function structuralProblems(schema: Record<string, unknown>, path: string, nested = false): string[] {
  const problems: string[] = [];
  const forbidden = ["$ref", "$schema", "$defs", "const", "oneOf", "not", "propertyNames", "patternProperties", "definitions", "id"];
  for (const key of forbidden) if (key in schema) problems.push(`${path}: ${key}`);
  if (!nested && schema["type"] === undefined && schema["x-kubernetes-int-or-string"] !== true && schema["x-kubernetes-preserve-unknown-fields"] !== true) problems.push(`${path}: no type`);
  if (Array.isArray(schema["type"])) problems.push(`${path}: several types`);
  if (schema["type"] === "array" && schema["items"] === undefined) problems.push(`${path}: a list without items`);
  if ("additionalProperties" in schema && (schema["additionalProperties"] === false || "properties" in schema)) problems.push(`${path}: additionalProperties`);
  if (nested && ("description" in schema || "default" in schema)) problems.push(`${path}: description or default inside allOf`);
  for (const [name, each] of Object.entries((schema["properties"] ?? {}) as Record<string, Record<string, unknown>>)) problems.push(...structuralProblems(each, `${path}.${name}`, nested));
  for (const key of ["items", "additionalProperties"]) if (typeof schema[key] === "object") problems.push(...structuralProblems(schema[key] as Record<string, unknown>, `${path}.${key}`, nested));
  for (const each of (schema["allOf"] ?? []) as Record<string, unknown>[]) problems.push(...structuralProblems(each, `${path}.allOf`, true));
  return problems;
}

test("every generated schema is structural, and describes every field of a spec", () => {
  for (const name of kindNames) {
    const crd = createCrd(kinds[name] as KindDefinition<never>) as { spec: { versions: { schema: { openAPIV3Schema: Record<string, unknown> } }[] } };
    const schema = crd.spec.versions[0]!.schema.openAPIV3Schema;
    assert.deepEqual(structuralProblems(schema, name), []);
    const { spec } = schema["properties"] as { spec?: { properties: Record<string, { description?: string }> } };
    for (const [field, each] of Object.entries(spec?.properties ?? {})) assert.ok(each.description, `${name}.spec.${field} has no description`);
  }
});

import { z } from "zod";
import { apiVersionOf, type KindDefinition } from "./kind.ts";
import type { OpenApiSchema } from "./openapi-schema.ts";

/** A JSON value that is an object; what a CRD is made of. */
type Json = { readonly [key: string]: unknown };

/**
 * The CustomResourceDefinition of a kind, `apiextensions.k8s.io/v1`, with a structural schema of what a user may write
 * (fields with a default are optional). What a schema cannot say (`KindDefinition.validate`) is not in it.
 * Deterministic: the same kind gives the same object, keys in the same order.
 */
export function createCrd(kind: KindDefinition<never>): Json {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      scope: kind.scope,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: kind.shortNames,
        categories: kind.categories,
      },
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          ...(kind.statusSchema === undefined ? {} : { subresources: { status: {} } }),
          additionalPrinterColumns: kind.printerColumns.map(({ name, type, jsonPath, description, priority }) => ({
            name,
            type,
            jsonPath,
            ...(description === undefined ? {} : { description }),
            ...(priority === undefined || priority === 0 ? {} : { priority }),
          })),
          selectableFields: kind.selectableFields.map((path) => ({ jsonPath: `.${path}` })),
          schema: { openAPIV3Schema: kindSchema(kind, { type: "object" }) },
        },
      ],
    },
  };
}

/**
 * The whole object of a kind: what the CRD, the OpenAPI documents and `vendetta explain` tell of it.
 * @param metadata stands for the object's metadata: a CRD must leave it open, a document refers to ObjectMeta
 */
export function kindSchema(kind: KindDefinition<never>, metadata: OpenApiSchema): OpenApiSchema {
  const part = (schema: z.ZodType | undefined, name: string, description: string) => (schema === undefined ? {} : { [name]: { description, ...structuralSchema(schema) } });
  const root: OpenApiSchema = kind.rootSchema === undefined ? {} : structuralSchema(kind.rootSchema);
  // Kubernetes' own kinds are lenient: a Namespace without a spec is a whole one.
  const required = kind.group !== "" && kind.specSchema !== undefined ? ["spec"] : (root.required ?? []);
  return {
    description: kind.description,
    type: "object",
    ...(required.length === 0 ? {} : { required }),
    properties: {
      apiVersion: { type: "string", description: `Always ${apiVersionOf(kind)}.` },
      kind: { type: "string", description: `Always ${kind.kind}.` },
      metadata,
      ...part(kind.specSchema, "spec", `What is wished of the ${kind.kind}.`),
      ...part(kind.statusSchema, "status", `What is true of the ${kind.kind}; written by vendetta.`),
      ...root.properties,
    },
  };
}

/** A zod schema as an OpenAPI v3 structural schema. Source: kubernetes.io, "Specifying a structural schema". */
export function structuralSchema(schema: z.ZodType): Json {
  return structural(z.toJSONSchema(schema, { io: "input", target: "draft-2020-12" }) as Json);
}

/** Zod writes these for the bounds of a whole number that has none of its own. */
const safeIntegerBounds = new Set<unknown>([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
/** Order of keys, so that the files read well. What is not named here comes last, by name. */
const keyOrder = ["description", "type", "nullable", "enum", "default", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "allOf", "anyOf", "required", "properties", "additionalProperties", "items"];

function structural(schema: Json): Json {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    switch (key) {
      case "$schema":
      // An unknown field is refused by structural schemas anyway; names of map keys cannot be held to a pattern by them.
      case "propertyNames":
        break;
      case "additionalProperties":
        if (typeof value === "object" && value !== null) out[key] = Object.keys(value).length === 0 ? { "x-kubernetes-preserve-unknown-fields": true } : structural(value as Json);
        break;
      case "properties":
        // An empty list of them reads as "no field is allowed" to older kubectls.
        if (Object.keys(value as Json).length === 0) break;
        out[key] = Object.fromEntries(Object.entries(value as Json).map(([name, each]) => [name, structural(each as Json)]));
        break;
      case "items":
        out[key] = structural(value as Json);
        break;
      case "const":
        out["enum"] = [value];
        break;
      case "format":
        // "starts_with" is zod's own; the pattern beside it says the same.
        if (["int32", "int64", "date-time", "byte"].includes(value as string)) out[key] = value;
        break;
      case "minimum":
      case "maximum":
        if (!safeIntegerBounds.has(value)) out[key] = value;
        break;
      case "exclusiveMinimum":
      case "exclusiveMaximum":
        out[key === "exclusiveMinimum" ? "minimum" : "maximum"] = value;
        out[key] = true;
        break;
      case "type":
        Object.assign(out, typeOf(value));
        break;
      case "anyOf":
        Object.assign(out, alternatives(value as readonly Json[]));
        break;
      case "allOf":
      case "x-kubernetes-list-type":
      case "x-kubernetes-list-map-keys":
      case "x-kubernetes-map-type":
        out[key] = value;
        break;
      default:
        if (!keyOrder.includes(key)) throw new Error(`Cannot write a structural schema: JSON schema keyword ${key} has no place in one`);
        out[key] = value;
    }
  }
  return sorted(out);
}

/** The only union of types there can be is Kubernetes' own: a quantity, written as a string or a number. */
const intOrString = { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true };

function typeOf(type: unknown): Json {
  if (!Array.isArray(type)) return { type };
  const types = type as readonly unknown[];
  if (types.includes("null") && types.length === 2) return { type: types.find((each) => each !== "null"), nullable: true };
  if (types.length === 2 && types.includes("string") && (types.includes("number") || types.includes("integer"))) return intOrString;
  throw new Error(`Cannot write a structural schema: it has no place for the types ${types.join(", ")}`);
}

function alternatives(of: readonly Json[]): Json {
  const rest = of.filter((each) => each["type"] !== "null");
  if (rest.length === 1 && rest.length < of.length) return { ...structural(rest[0]!), nullable: true };
  return typeOf(of.map((each) => each["type"]));
}

function sorted(schema: Json): Json {
  const rank = (key: string) => (keyOrder.includes(key) ? keyOrder.indexOf(key) : keyOrder.length);
  return Object.fromEntries(Object.entries(schema).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)));
}

import type { z } from "zod";
import { isFields } from "../base/fields.ts";
import type { KindDefinition } from "./kind.ts";
import { objectMeta } from "./meta.ts";
import { kinds, type KindName } from "./registry.ts";
import { refuseForeignKeys } from "./validate.ts";
import type { StatusCause } from "./status-error.ts";

/** Unknown fields found in one go; a second look finds what was hidden by the first, a third finds none. */
const passesMax = 3;

type Path = readonly PropertyKey[];

/**
 * The value without the fields its kind does not know, for fieldValidation=Warn and Ignore. Works on a whole object and
 * on a merge patch of one alike, as both have the object's shape. What else is wrong with it stays.
 * @returns the pruned copy, and the paths taken out ("spec.ports[0].bogus")
 * @throws StatusError BadRequest on a field name that is never allowed
 */
export function pruneUnknownFields(kindName: KindName, value: unknown): { readonly value: unknown; readonly unknown: readonly string[] } {
  if (!isFields(value)) return { value, unknown: [] };
  refuseForeignKeys(value, "");
  const copy = structuredClone(value) as Record<string, unknown>;
  const unknown: string[] = [];
  for (let pass = 0; pass < passesMax; pass++) {
    const found = unknownPaths(kinds[kindName] as KindDefinition<never>, copy);
    if (found.length === 0) break;
    for (const path of found) {
      remove(copy, path);
      unknown.push(textOf(path));
    }
  }
  return { value: copy, unknown };
}

/** The causes of an Invalid that say nothing but that a field is unknown. */
export function unknownFieldsOf(causes: readonly StatusCause[] | undefined): readonly string[] {
  return (causes ?? []).filter((cause) => cause.message.startsWith("unknown field")).map((cause) => cause.field);
}

function unknownPaths(kind: KindDefinition<never>, object: Record<string, unknown>): readonly Path[] {
  const { apiVersion: _apiVersion, kind: _kind, metadata, spec, status, ...rest } = object;
  const paths: Path[] = [...unrecognized(objectMeta, metadata, ["metadata"])];
  if (kind.rootSchema !== undefined) paths.push(...unrecognized(kind.rootSchema, rest, []));
  else for (const key of Object.keys(rest)) paths.push([key]);
  for (const [key, schema, part] of [["spec", kind.specSchema, spec], ["status", kind.statusSchema, status]] as const) {
    if (part === undefined) continue;
    if (schema === undefined) paths.push([key]);
    else paths.push(...unrecognized(schema, part, [key]));
  }
  return paths;
}

function unrecognized(schema: z.ZodType, value: unknown, root: Path): readonly Path[] {
  const result = schema.safeParse(value);
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...root, ...issue.path, key]) : []));
}

function remove(root: Record<string, unknown>, path: Path): void {
  let at: unknown = root;
  for (const part of path.slice(0, -1)) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  if (typeof at === "object" && at !== null) delete (at as Record<PropertyKey, unknown>)[path.at(-1)!];
}

function textOf(path: Path): string {
  return path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`)).join("");
}

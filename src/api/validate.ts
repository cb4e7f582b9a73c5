import type { z } from "zod";
import { apiVersionOf, type KindDefinition } from "./kind.ts";
import { objectMeta, type ObjectMeta, type StoredObject } from "./meta.ts";
import { kinds, type KindMap, type KindName } from "./registry.ts";
import { invalid, StatusError, type StatusCause } from "./status-error.ts";

/** Bound on an object's JSON, as etcd's default request size in Kubernetes. Bytes. */
export const objectBytesMax = 1_500_000;

/** A manifest checked on its own: defaults filled in, unknown fields refused, metadata still as the client sent it. */
export interface ParsedObject<K extends KindName> {
  readonly metadata: Partial<ObjectMeta> & { readonly generateName?: string };
  /** The object without its metadata: apiVersion, kind, spec, status, root fields. */
  readonly body: Omit<KindMap[K], "metadata">;
}

/**
 * Checks all that can be told from the object alone.
 * @param raw any JSON value
 * @throws StatusError Invalid with every cause found, or BadRequest when it is no object of that kind at all
 */
export function parseObject<K extends KindName>(kindName: K, raw: unknown, old?: KindMap[K]): ParsedObject<K> {
  const kind = kinds[kindName] as unknown as KindDefinition;
  const apiVersion = apiVersionOf(kind);
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    throw new StatusError("BadRequest", `Cannot read a ${kindName}: expected an object, found ${raw === null ? "null" : Array.isArray(raw) ? "a list" : typeof raw}`);
  }
  refuseForeignKeys(raw, "");
  const { apiVersion: givenVersion, kind: givenKind, metadata: rawMetadata, spec, status, ...rest } = raw as Record<string, unknown>;
  const name = nameOf(rawMetadata);
  if ((givenVersion !== undefined && givenVersion !== apiVersion) || (givenKind !== undefined && givenKind !== kindName)) {
    throw new StatusError("BadRequest", `Cannot read ${kindName} "${name}": it says apiVersion ${JSON.stringify(givenVersion)} and kind ${JSON.stringify(givenKind)}; expected ${apiVersion} and ${kindName}`);
  }

  const causes: StatusCause[] = [];
  const check = (schema: z.ZodType, value: unknown, path: string): unknown => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) causes.push(...causesOf(issue, path));
    return undefined;
  };
  const metadata = check(objectMeta, rawMetadata ?? {}, "metadata") as z.infer<typeof objectMeta> | undefined;
  const body: Record<string, unknown> = { apiVersion, kind: kindName };
  if (kind.rootSchema !== undefined) Object.assign(body, check(kind.rootSchema, rest, ""));
  else for (const field of Object.keys(rest)) causes.push(unknownField(field));
  if (kind.specSchema !== undefined) body["spec"] = check(kind.specSchema, spec ?? {}, "spec");
  else if (spec !== undefined) causes.push(unknownField("spec"));
  if (status !== undefined && status !== null) {
    if (kind.statusSchema !== undefined) body["status"] = check(kind.statusSchema, status, "status");
    else causes.push(unknownField("status"));
  }
  if (metadata !== undefined) causes.push(...nameCauses(kind, metadata));
  if (causes.length === 0 && kind.validate) {
    const object = { ...body, metadata } as unknown as StoredObject;
    causes.push(...kind.validate(object, old));
  }
  if (causes.length > 0) throw invalid(kindName, name, causes);
  return { metadata: withoutNulls(metadata!), body: body as unknown as Omit<KindMap[K], "metadata"> };
}

function nameOf(metadata: unknown): string {
  const name = (metadata as { name?: unknown; generateName?: unknown } | undefined | null)?.name;
  return typeof name === "string" ? name : "";
}

function nameCauses(kind: KindDefinition, metadata: z.infer<typeof objectMeta>): StatusCause[] {
  const causes: StatusCause[] = [];
  if (metadata.name === undefined) {
    if (metadata.generateName === undefined) causes.push({ field: "metadata.name", message: "is required: name or generateName", reason: "FieldValueRequired" });
  } else {
    const result = kind.nameSchema.safeParse(metadata.name);
    if (!result.success) causes.push({ field: "metadata.name", message: `"${metadata.name}" ${result.error.issues[0]!.message}`, reason: "FieldValueInvalid" });
  }
  if (kind.scope === "Cluster" && metadata.namespace) causes.push({ field: "metadata.namespace", message: `must be empty: a ${kind.kind} belongs to no namespace`, reason: "FieldValueForbidden" });
  return causes;
}

/** `__proto__` and `constructor` have no place in a manifest, and in a merge they would reach what is not the object's. */
export function refuseForeignKeys(value: unknown, path: string, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > 100) throw new StatusError("BadRequest", `Cannot read the object: ${path} is nested deeper than 100 levels`);
  for (const key of Object.keys(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    if (key === "__proto__" || key === "constructor" || key === "prototype") {
      throw new StatusError("BadRequest", `Cannot read the object: the field name "${at}" is not allowed`, { causes: [{ field: at, message: "is not allowed as a field name", reason: "FieldValueForbidden" }] });
    }
    refuseForeignKeys((value as Record<string, unknown>)[key], at, depth + 1);
  }
}

function withoutNulls(metadata: z.infer<typeof objectMeta>): ParsedObject<KindName>["metadata"] {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null && value !== undefined)) as ParsedObject<KindName>["metadata"];
}

function pathOf(root: string, path: readonly PropertyKey[]): string {
  let text = root;
  for (const part of path) text += typeof part === "number" ? `[${part}]` : text === "" ? String(part) : /^[\w-]+$/.test(String(part)) ? `.${String(part)}` : `[${JSON.stringify(String(part))}]`;
  return text;
}

function unknownField(field: string): StatusCause {
  return { field, message: "unknown field", reason: "FieldValueInvalid" };
}

/** Our words for what zod found. */
function causesOf(issue: z.core.$ZodIssue, root: string): StatusCause[] {
  const field = pathOf(root, issue.path) || "(root)";
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownField(pathOf(root, [...issue.path, key])));
    case "invalid_type":
      return issue.input === undefined && !issue.message.includes("received")
        ? [{ field, message: `is required: expected ${issue.expected}`, reason: "FieldValueRequired" }]
        : [{ field, message: issue.message.includes("received undefined") ? `is required: expected ${issue.expected}` : issue.message.replace(/^Invalid input: /, ""), reason: issue.message.includes("received undefined") ? "FieldValueRequired" : "FieldValueTypeInvalid" }];
    case "invalid_value":
      return [{ field, message: `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`, reason: "FieldValueNotSupported" }];
    case "invalid_key":
      return [{ field, message: issue.issues[0]?.message ?? "has a key that is not allowed", reason: "FieldValueInvalid" }];
    case "invalid_union":
      return [{ field, message: "has the wrong type", reason: "FieldValueTypeInvalid" }];
    default:
      return [{ field, message: issue.message.replace(/^Invalid input: /, ""), reason: "FieldValueInvalid" }];
  }
}

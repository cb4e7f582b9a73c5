import type { z } from "zod";
import { isFields } from "../base/fields.ts";
import { apiVersionOf, qualifiedKind, type KindDefinition } from "./kind.ts";
import { objectMeta, type ObjectMeta, type StoredObject } from "./meta.ts";
import { kinds, type KindMap, type KindName } from "./registry.ts";
import { fieldsOf, issueCauses, unknownField, unknownFirst } from "./issue-causes.ts";
import { invalid, StatusError, type StatusCause } from "./status-error.ts";

/** Bound on an object's JSON, as etcd's default request size in Kubernetes. Bytes. */
export const objectBytesMax = 1_500_000;

/** metadata as a client sent it, checked; what is the server's own may be in it. */
export type ParsedMetadata = Partial<ObjectMeta>;

/** A manifest checked on its own: defaults filled in, unknown fields refused, metadata still as the client sent it. */
export interface ParsedObject<K extends KindName> {
  readonly metadata: ParsedMetadata;
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
  const { name, metadata: rawMetadata, spec, status, rest } = openObject(kind, raw);
  const causes: StatusCause[] = [];
  const metadata = check(objectMeta, rawMetadata ?? {}, "metadata", causes) as z.infer<typeof objectMeta> | undefined;
  const body: Record<string, unknown> = { apiVersion: apiVersionOf(kind), kind: kindName };
  if (kind.rootSchema !== undefined) Object.assign(body, check(kind.rootSchema, rest, "", causes));
  else for (const field of Object.keys(rest)) causes.push(strayField(kind, field));
  if (kind.specSchema !== undefined) body["spec"] = check(kind.specSchema, spec ?? {}, "spec", causes);
  else if (spec !== undefined) causes.push(strayField(kind, "spec"));
  if (status !== undefined && status !== null) {
    if (kind.statusSchema !== undefined) body["status"] = check(kind.statusSchema, status, "status", causes);
    else causes.push(strayField(kind, "status"));
  }
  if (metadata !== undefined) causes.push(...nameCauses(kind, metadata));
  if (causes.length === 0 && kind.validate) {
    const object = { ...body, metadata } as unknown as StoredObject;
    causes.push(...kind.validate(object, old));
  }
  if (causes.length > 0) throw invalid(qualifiedKind(kind), name, unknownFirst(causes));
  return { metadata: withoutNulls(metadata!), body: body as unknown as Omit<KindMap[K], "metadata"> };
}

/**
 * Checks the status an object carries and nothing else of it, so that a rule made stricter never keeps a controller from
 * telling the truth about an older object.
 * @throws StatusError Invalid, BadRequest, or MethodNotAllowed when the kind has no status
 */
export function parseStatus(kindName: KindName, raw: unknown): { readonly metadata: ParsedMetadata; readonly status: unknown } {
  const kind = kinds[kindName] as unknown as KindDefinition;
  const { name, metadata: rawMetadata, status: rawStatus } = openObject(kind, raw);
  if (kind.statusSchema === undefined) throw new StatusError("MethodNotAllowed", `Cannot write the status of ${kindName} "${name}": a ${kindName} has no status`, { kind: kindName, name });
  const causes: StatusCause[] = [];
  const metadata = check(objectMeta, rawMetadata ?? {}, "metadata", causes) as z.infer<typeof objectMeta> | undefined;
  const status = rawStatus === undefined || rawStatus === null ? undefined : check(kind.statusSchema, rawStatus, "status", causes);
  if (causes.length > 0) throw invalid(qualifiedKind(kind), name, unknownFirst(causes));
  return { metadata: withoutNulls(metadata!), status };
}

interface OpenedObject {
  /** "" when it has none. */
  readonly name: string;
  readonly metadata: unknown;
  readonly spec: unknown;
  readonly status: unknown;
  readonly rest: Readonly<Record<string, unknown>>;
}

/** Takes an object of the kind apart. @throws StatusError BadRequest when it is none */
function openObject(kind: KindDefinition, raw: unknown): OpenedObject {
  const apiVersion = apiVersionOf(kind);
  if (!isFields(raw)) {
    throw new StatusError("BadRequest", `Cannot read a ${kind.kind}: expected an object, found ${raw === null ? "null" : Array.isArray(raw) ? "a list" : `a ${typeof raw}`}`);
  }
  refuseForeignKeys(raw, "");
  const { apiVersion: givenVersion, kind: givenKind, metadata, spec, status, ...rest } = raw;
  const name = nameOf(metadata);
  for (const [field, given, expected] of [["apiVersion", givenVersion, apiVersion], ["kind", givenKind, kind.kind]] as const) {
    if (given !== undefined && given !== expected) throw new StatusError("BadRequest", `Cannot read ${kind.kind} "${name}": its ${field} is ${JSON.stringify(given)}; expected "${expected}"`);
  }
  return { name, metadata, spec, status, rest };
}

/** The value with the schema's defaults; what is wrong with it goes to `causes`. */
function check(schema: z.ZodType, value: unknown, path: string, causes: StatusCause[]): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  causes.push(...issueCauses(result.error.issues, schema, value, path));
  return undefined;
}

/** A field that has no place at the object's root; often it was meant for the spec. */
function strayField(kind: KindDefinition, field: string): StatusCause {
  if (fieldsOf(kind.specSchema).includes(field)) return unknownField(field, field, [field], "spec.");
  return unknownField(field, field, ["metadata", ...(kind.specSchema ? ["spec"] : []), ...(kind.statusSchema ? ["status"] : []), ...fieldsOf(kind.rootSchema)]);
}

function nameOf(metadata: unknown): string {
  const name = (metadata as { readonly name?: unknown } | undefined | null)?.name;
  return typeof name === "string" ? name : "";
}

function nameCauses(kind: KindDefinition, metadata: z.infer<typeof objectMeta>): StatusCause[] {
  const causes: StatusCause[] = [];
  // As in Kubernetes, an empty name is none.
  if (!metadata.name) {
    if (!metadata.generateName) causes.push({ field: "metadata.name", message: "is required: name or generateName", reason: "FieldValueRequired" });
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
  return Object.fromEntries(Object.entries(metadata).filter(([field, value]) => value !== null && value !== undefined && !(field === "name" && value === ""))) as ParsedObject<KindName>["metadata"];
}

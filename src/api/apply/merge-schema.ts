/** How values at one place merge and who owns what of them. A leaf is owned as a whole: a scalar, or an atomic list or map. */
export type MergeSchema =
  /** intOrString: 2 and "2" are the same value, as in a quantity. */
  | { readonly type: "leaf"; readonly intOrString: boolean }
  /** Named fields, and the schema of other keys (labels, environment); undefined when there are only named ones. */
  | { readonly type: "map"; readonly fields: ReadonlyMap<string, MergeSchema>; readonly entries: MergeSchema | undefined }
  | ListSchema
  | { readonly type: "set" };

/** A list whose items are told apart by these of their fields. */
export interface ListSchema {
  readonly type: "list";
  readonly keys: readonly string[];
  /** Of keys that may be left out. */
  readonly keyDefaults: Readonly<Record<string, unknown>>;
  readonly items: MergeSchema;
}

export const leafSchema: MergeSchema = { type: "leaf", intOrString: false };

/** What is read of a structural schema. Source: kubernetes.io, "Specifying a structural schema", "Merge strategy". */
interface StructuralSchema {
  readonly type?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema | boolean;
  readonly items?: StructuralSchema;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
}

/** The merge schema that a CRD's schema says: lists are atomic and maps are granular unless it says otherwise. */
export function mergeSchemaFrom(structural: object): MergeSchema {
  const schema = structural as StructuralSchema;
  if (schema.type === "object" && schema["x-kubernetes-map-type"] !== "atomic") return mapFrom(schema);
  if (schema.type === "array" && schema["x-kubernetes-list-type"] === "set") return { type: "set" };
  if (schema.type === "array" && schema["x-kubernetes-list-type"] === "map") return listFrom(schema);
  return schema["x-kubernetes-int-or-string"] === true ? { type: "leaf", intOrString: true } : leafSchema;
}

function mapFrom({ properties = {}, additionalProperties }: StructuralSchema): MergeSchema {
  return {
    type: "map",
    fields: new Map(Object.entries(properties).map(([name, each]) => [name, mergeSchemaFrom(each)])),
    entries: typeof additionalProperties === "object" ? mergeSchemaFrom(additionalProperties) : undefined,
  };
}

function listFrom({ items = {}, "x-kubernetes-list-map-keys": keys = [] }: StructuralSchema): MergeSchema {
  const defaults = keys.map((key) => [key, items.properties?.[key]?.default] as const).filter(([, value]) => value !== undefined);
  return { type: "list", keys, keyDefaults: Object.fromEntries(defaults), items: mergeSchemaFrom(items) };
}

/** Whether a field of a map is one the schema names; other keys are entries, which come and go one by one. */
export function isNamedField(schema: MergeSchema, name: string): boolean {
  return schema.type === "map" && schema.fields.has(name);
}

/** The schema below a map's key. What no schema knows is a leaf: validation will have its word. */
export function schemaOfKey(schema: MergeSchema & { readonly type: "map" }, key: string): MergeSchema {
  return schema.fields.get(key) ?? schema.entries ?? leafSchema;
}

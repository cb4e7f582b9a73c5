import { structuralSchema } from "../crd.ts";
import type { KindDefinition } from "../kind.ts";
import { objectMeta } from "../meta.ts";
import { kinds, type KindName } from "../registry.ts";
import { leafSchema, mergeSchemaFrom, type MergeSchema } from "./merge-schema.ts";

const made = new Map<KindName, MergeSchema>();

/** How objects of a kind merge, from the schemas that its CRD is made from. Made when first asked for: most processes never apply. */
export function mergeSchemaOf(kindName: KindName): MergeSchema {
  let schema = made.get(kindName);
  if (schema === undefined) made.set(kindName, (schema = createSchema(kinds[kindName] as KindDefinition<never>)));
  return schema;
}

function createSchema({ specSchema, statusSchema, rootSchema }: KindDefinition<never>): MergeSchema {
  const root = rootSchema === undefined ? undefined : mergeSchemaFrom(structuralSchema(rootSchema));
  const fields = new Map<string, MergeSchema>(root?.type === "map" ? root.fields : []);
  for (const [name, schema] of [["metadata", objectMeta], ["spec", specSchema], ["status", statusSchema]] as const) fields.set(name, schema === undefined ? leafSchema : mergeSchemaFrom(structuralSchema(schema)));
  return { type: "map", fields, entries: undefined };
}

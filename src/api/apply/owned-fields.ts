import { isFields } from "../../base/fields.ts";
import { fieldSet, leafNode, noFields, type FieldNode, type FieldSet, type PathElement } from "./field-set.ts";
import { itemsByElement } from "./list-items.ts";
import { isNamedField, schemaOfKey, type MergeSchema } from "./merge-schema.ts";
import { fieldElement } from "./path-element.ts";

/**
 * The fields that who applies this configuration comes to own: every leaf, every list item and every entry of a map that
 * it names, but not the structures around them.
 * Source: sigs.k8s.io/structured-merge-diff/v4/typed, ToFieldSet.
 */
export function fieldsOf(schema: MergeSchema, configuration: unknown): FieldSet {
  return nodeOf(schema, configuration).below;
}

function nodeOf(schema: MergeSchema, value: unknown): FieldNode {
  if (schema.type === "map" && isFields(value)) {
    const entries = Object.entries(value);
    // An empty map says nothing but that it is there.
    if (entries.length === 0) return leafNode;
    return {
      member: false,
      below: fieldSet(entries.map(([key, each]) => {
        const node = nodeOf(schemaOfKey(schema, key), each);
        return [fieldElement(key), isNamedField(schema, key) ? node : { ...node, member: true }];
      })),
    };
  }
  if ((schema.type === "list" || schema.type === "set") && Array.isArray(value)) {
    const items = [...itemsByElement(schema, value)];
    return { member: false, below: fieldSet(items.map(([element, item]): [PathElement, FieldNode] => [element, { member: true, below: schema.type === "list" ? fieldsOf(schema.items, item) : noFields }])) };
  }
  return leafNode;
}

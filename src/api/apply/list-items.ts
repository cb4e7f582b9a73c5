import { isFields } from "../../base/fields.ts";
import type { StatusCause } from "../status-error.ts";
import type { PathElement } from "./field-set.ts";
import type { ListSchema, MergeSchema } from "./merge-schema.ts";
import { schemaOfKey } from "./merge-schema.ts";
import { indexElement, keyElement, pathText, valueElement } from "./path-element.ts";

/** A list or a set, whose items are told apart by more than their place. */
export type ItemsSchema = ListSchema | (MergeSchema & { readonly type: "set" });

/** The step to an item. One that cannot be told from others by its keys is known by its place. */
export function itemElement(schema: ItemsSchema, item: unknown, index: number): PathElement {
  if (schema.type === "set") return typeof item === "object" ? indexElement(index) : valueElement(item);
  const keys = keysOf(schema, item);
  return keys === undefined ? indexElement(index) : keyElement(keys);
}

function keysOf({ keys, keyDefaults }: ListSchema, item: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isFields(item)) return undefined;
  const values = keys.map((key) => [key, Object.hasOwn(item, key) ? item[key] : keyDefaults[key]] as const);
  return values.some(([, value]) => value === undefined || value === null || typeof value === "object") ? undefined : Object.fromEntries(values);
}

/** The items by their steps, in their order. Of two with the same keys, which validation refuses, the first counts. */
export function itemsByElement(schema: ItemsSchema, list: readonly unknown[]): ReadonlyMap<PathElement, unknown> {
  const items = new Map<PathElement, unknown>();
  for (const [index, item] of list.entries()) {
    const element = itemElement(schema, item, index);
    if (!items.has(element)) items.set(element, item);
  }
  return items;
}

/** What keeps the lists of an applied configuration from being merged: items without keys, and two with the same. */
export function listCauses(schema: MergeSchema, value: unknown, path = ""): readonly StatusCause[] {
  if (schema.type === "map" && isFields(value)) {
    return Object.entries(value).flatMap(([key, each]) => listCauses(schemaOfKey(schema, key), each, path === "" ? key : `${path}.${key}`));
  }
  if ((schema.type !== "list" && schema.type !== "set") || !Array.isArray(value)) return [];
  const seen = new Set<PathElement>();
  return value.flatMap((item: unknown, index): readonly StatusCause[] => {
    const field = `${path}[${index}]`;
    const element = itemElement(schema, item, index);
    if (element.startsWith("i:")) return [unnamed(schema, item, field)];
    if (seen.has(element)) return [{ field, message: `duplicate entries for key ${pathText([element])}`, reason: "FieldValueDuplicate" }];
    seen.add(element);
    return schema.type === "list" ? listCauses(schema.items, item, field) : [];
  });
}

function unnamed(schema: ItemsSchema, item: unknown, field: string): StatusCause {
  if (schema.type === "set" || !isFields(item)) return { field, message: `must be ${schema.type === "set" ? "a plain value" : "a map"}: the list is merged by its items`, reason: "FieldValueTypeInvalid" };
  const missing = schema.keys.find((key) => keysOf({ ...schema, keys: [key] }, item) === undefined)!;
  return { field: `${field}.${missing}`, message: "is required: it tells the item from the others", reason: "FieldValueRequired" };
}

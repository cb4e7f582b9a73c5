import { isFields } from "../../base/fields.ts";
import { fieldsBelow, isMember, type FieldSet, type PathElement } from "./field-set.ts";
import { itemElement } from "./list-items.ts";
import { isNamedField, schemaOfKey, type ListSchema, type MergeSchema } from "./merge-schema.ts";
import { fieldElement } from "./path-element.ts";

/** Who owned and who owns. */
export interface Ownership {
  /** What the manager owned when it applied the last time. */
  readonly released: FieldSet;
  /** What any manager owns now, this one by its new configuration included. */
  readonly kept: FieldSet;
}

/**
 * The value without what its manager owned and no longer names, and nobody else owns.
 *
 * A structure goes with all its fields, defaults included, when nobody owns anything in it any more. A list item or an
 * entry of a map goes when it itself is released, whatever is in it. What nobody ever owned stays: controllers that name
 * no manager put entries beside those of the managers (finalizers, labels), and those are not the manager's to take away.
 * Source: sigs.k8s.io/structured-merge-diff/v4/merge, Updater.prune; it would take such entries away with their list.
 */
export function pruneReleased(schema: MergeSchema, value: unknown, ownership: Ownership): unknown {
  if (ownership.released.size === 0) return value;
  if (schema.type === "map" && isFields(value)) {
    return Object.fromEntries(Object.entries(value).flatMap(([key, each]) => {
      const element = fieldElement(key);
      const left = isNamedField(schema, key) ? pruneField(schemaOfKey(schema, key), each, element, ownership) : pruneEntry(schemaOfKey(schema, key), each, element, ownership);
      return left === undefined ? [] : [[key, left] as const];
    }));
  }
  if ((schema.type === "list" || schema.type === "set") && Array.isArray(value)) {
    return value.flatMap((item: unknown, index) => {
      const element = itemElement(schema, item, index);
      const left = pruneEntry(schema.type === "list" ? schema.items : { type: "leaf", intOrString: false }, item, element, ownership);
      if (left === undefined) return [];
      return [schema.type === "list" ? withKeys(schema, item, left) : left];
    });
  }
  return value;
}

/** The keys of an item that stays are what it is known by; one with a default comes back by itself. */
function withKeys({ keys, keyDefaults }: ListSchema, item: unknown, left: unknown): unknown {
  if (!isFields(item) || !isFields(left)) return left;
  const needed = keys.filter((key) => Object.hasOwn(item, key) && !Object.hasOwn(left, key) && item[key] !== keyDefaults[key]);
  return needed.length === 0 ? left : { ...left, ...Object.fromEntries(needed.map((key) => [key, item[key]])) };
}

function below({ released, kept }: Ownership, element: PathElement): Ownership {
  return { released: fieldsBelow(released, element), kept: fieldsBelow(kept, element) };
}

/** A named field: owned when it, or anything in it, is. */
function pruneField(schema: MergeSchema, value: unknown, element: PathElement, ownership: Ownership): unknown {
  if (!ownership.released.has(element)) return value;
  const isKept = ownership.kept.has(element);
  if (schema.type === "leaf" || (schema.type === "map" && schema.entries === undefined)) return isKept ? pruneReleased(schema, value, below(ownership, element)) : undefined;
  const left = pruneReleased(schema, value, below(ownership, element));
  const isEmpty = isFields(left) ? Object.keys(left).length === 0 : Array.isArray(left) && left.length === 0;
  return isEmpty && !isKept ? undefined : left;
}

/** An entry of a map or an item of a list: owned when it itself is. */
function pruneEntry(schema: MergeSchema, value: unknown, element: PathElement, ownership: Ownership): unknown {
  if (isMember(ownership.released, element) && !isMember(ownership.kept, element)) return undefined;
  return pruneReleased(schema, value, below(ownership, element));
}

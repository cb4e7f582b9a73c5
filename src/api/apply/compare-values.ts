import { isFields } from "../../base/fields.ts";
import { jsonEqual } from "../../base/json-equal.ts";
import { fieldSet, noFields, type FieldNode, type FieldSet, type PathElement } from "./field-set.ts";
import { itemsByElement } from "./list-items.ts";
import { schemaOfKey, type MergeSchema } from "./merge-schema.ts";
import { fieldElement } from "./path-element.ts";

/** What differs between two values. No field is in more than one of the sets. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/**
 * Source: sigs.k8s.io/structured-merge-diff/v4/typed, Compare. Containers that come or go are added or removed themselves,
 * beside all that is in them; order in lists that are merged by key is no difference.
 */
export function compareValues(schema: MergeSchema, before: unknown, after: unknown): Comparison {
  const { added, modified, removed } = compareAt(schema, before, after);
  return { added: added.below, modified: modified.below, removed: removed.below };
}

type Difference = { readonly [K in keyof Comparison]: FieldNode };
const nothing: FieldNode = { member: false, below: noFields };
const itself: FieldNode = { member: true, below: noFields };
const same: Difference = { added: nothing, modified: nothing, removed: nothing };

/** Undefined stands for a value that is not there. */
function compareAt(schema: MergeSchema, before: unknown, after: unknown): Difference {
  if (before === after) return same;
  const children = childrenOf(schema, before, after);
  if (children === undefined) {
    if (before === undefined) return { ...same, added: itself };
    if (after === undefined) return { ...same, removed: itself };
    return equalLeaves(schema, before, after) ? same : { ...same, modified: itself };
  }
  const inner = [...children].map(([element, [inBefore, inAfter, schemaOf]]) => [element, compareAt(schemaOf, inBefore, inAfter)] as const);
  const part = (name: keyof Comparison, member: boolean): FieldNode => ({ member, below: fieldSet(inner.map(([element, each]) => [element, each[name]] as const)) });
  return { added: part("added", before === undefined), modified: part("modified", false), removed: part("removed", after === undefined) };
}

type Children = Map<PathElement, readonly [before: unknown, after: unknown, schema: MergeSchema]>;

/** What is in the two containers, side by side; undefined when they are to be compared as a whole. */
function childrenOf(schema: MergeSchema, before: unknown, after: unknown): Children | undefined {
  if (schema.type === "leaf") return undefined;
  const children: Children = new Map();
  if (schema.type === "map") {
    if (!isFields(before ?? {}) || !isFields(after ?? {})) return undefined;
    const [left, right] = [(before ?? {}) as Readonly<Record<string, unknown>>, (after ?? {}) as Readonly<Record<string, unknown>>];
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      children.set(fieldElement(key), [Object.hasOwn(left, key) ? left[key] : undefined, Object.hasOwn(right, key) ? right[key] : undefined, schemaOfKey(schema, key)]);
    }
  } else {
    if (!Array.isArray(before ?? []) || !Array.isArray(after ?? [])) return undefined;
    const [left, right] = [itemsByElement(schema, (before ?? []) as unknown[]), itemsByElement(schema, (after ?? []) as unknown[])];
    const items: MergeSchema = schema.type === "list" ? schema.items : { type: "leaf", intOrString: false };
    for (const element of new Set([...left.keys(), ...right.keys()])) children.set(element, [left.get(element), right.get(element), items]);
  }
  // Two empty ones differ only in being there.
  return children.size === 0 ? undefined : children;
}

function equalLeaves(schema: MergeSchema, before: unknown, after: unknown): boolean {
  if (schema.type === "leaf" && schema.intOrString && typeof before !== "object" && typeof after !== "object") return String(before) === String(after);
  return jsonEqual(before, after);
}

import { isFields, ownField } from "../../base/fields.ts";
import type { PathElement } from "./field-set.ts";
import { itemElement, itemsByElement, type ItemsSchema } from "./list-items.ts";
import { schemaOfKey, type MergeSchema } from "./merge-schema.ts";

/**
 * The live value with a configuration merged into it: what the configuration names is as it says, all else stays. Nothing
 * goes, and neither of them is changed; parts may be shared with the result.
 * Source: sigs.k8s.io/structured-merge-diff/v4/typed, Merge.
 * @param live undefined when there is nothing yet
 */
export function mergeConfiguration(schema: MergeSchema, live: unknown, configuration: unknown): unknown {
  if (configuration === undefined) return live;
  if (live === undefined) return configuration;
  if (schema.type === "map" && isFields(live) && isFields(configuration)) {
    const keys = new Set([...Object.keys(live), ...Object.keys(configuration)]);
    return Object.fromEntries([...keys].map((key) => [key, mergeConfiguration(schemaOfKey(schema, key), ownField(live, key), ownField(configuration, key))]));
  }
  if ((schema.type === "list" || schema.type === "set") && Array.isArray(live) && Array.isArray(configuration)) return mergeItems(schema, live, configuration);
  return configuration;
}

/**
 * Items of the configuration come in its order; each that only live has stays behind the one it stood behind, as far as
 * that order lets it.
 */
function mergeItems(schema: ItemsSchema, live: readonly unknown[], configuration: readonly unknown[]): readonly unknown[] {
  const before = itemsByElement(schema, live);
  const wanted = itemsByElement(schema, configuration);
  const shared = [...wanted.keys()].filter((element) => before.has(element));
  const merged: unknown[] = [];
  let at = 0;
  const keepUntil = (next: PathElement | undefined) => {
    for (; at < live.length; at++) {
      const element = itemElement(schema, live[at], at);
      if (next !== undefined && element === next) return;
      if (!wanted.has(element)) merged.push(live[at]);
    }
  };
  for (const [element, item] of wanted) {
    keepUntil(shared[0]);
    merged.push(schema.type === "list" ? mergeConfiguration(schema.items, before.get(element), item) : item);
    if (shared[0] === element) shared.shift();
  }
  keepUntil(undefined);
  return merged;
}

import { assert } from "../base/assert.ts";
import type { Key } from "../base/keys.ts";

/** Keys of objects by values that functions take from them. */
export interface ObjectIndex<T> {
  keys(name: string, value: string): readonly Key[];
  /** The object under this key went from one state to another; undefined: absent. */
  replace(key: Key, old: T | undefined, next: T | undefined): void;
  rebuild(objects: ReadonlyMap<Key, T>): void;
}

export function createObjectIndex<T>(functions: Readonly<Record<string, (object: T) => readonly string[]>>): ObjectIndex<T> {
  const tables = new Map(Object.entries(functions).map(([name, valuesOf]) => [name, { valuesOf, keys: new Map<string, Set<Key>>() }] as const));
  const replace = (key: Key, old: T | undefined, next: T | undefined) => {
    for (const { valuesOf, keys } of tables.values()) {
      for (const value of old === undefined ? [] : valuesOf(old)) {
        const set = keys.get(value);
        set?.delete(key);
        if (set?.size === 0) keys.delete(value);
      }
      for (const value of next === undefined ? [] : valuesOf(next)) {
        const set = keys.get(value);
        if (set === undefined) keys.set(value, new Set([key]));
        else set.add(key);
      }
    }
  };
  return {
    keys(name, value) {
      const table = tables.get(name);
      assert(table !== undefined, `there is no index "${name}"`);
      return [...(table.keys.get(value) ?? [])];
    },
    replace,
    rebuild(objects) {
      for (const { keys } of tables.values()) keys.clear();
      for (const [key, object] of objects) replace(key, undefined, object);
    },
  };
}

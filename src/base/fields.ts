/** A JSON object: its fields by their names. */
export type Fields = Readonly<Record<string, unknown>>;

/** Neither a list nor null, both of which JavaScript takes for objects. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A field the object has itself, never what it inherits under such a name ("constructor"). */
export function ownField(fields: Fields | undefined, name: string): unknown {
  return fields !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** What a path leads to through own fields and places of lists; undefined when it leads nowhere. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}

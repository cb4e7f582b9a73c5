import { isDeepStrictEqual } from "node:util";
import { isFields, ownField, type Fields } from "../base/fields.ts";

/** Where `apply` keeps what it last applied, so that the next time it can tell a field taken out from one set by others. */
export const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";


/**
 * The merge patch (RFC 7386) that brings `current` to what `desired` asks for: what desired names is set, what was in
 * `original` and is not in desired is taken away, everything else stays as it is. Lists are replaced as a whole.
 * Pure; `{}` when there is nothing to do.
 * Source: k8s.io/apimachinery/pkg/util/jsonmergepatch, CreateThreeWayJSONMergePatch.
 * @param original what was applied last; undefined when unknown: then nothing is taken away
 */
export function threeWayMerge(original: Fields | undefined, desired: Fields, current: Fields): Fields {
  const patch: Record<string, unknown> = {};
  for (const [key, wanted] of Object.entries(desired)) {
    // A null in a manifest asks for nothing, or for the field to go.
    if (wanted === null || wanted === undefined) {
      if (Object.hasOwn(current, key)) patch[key] = null;
      continue;
    }
    const found = ownField(current, key);
    if (isFields(wanted) && isFields(found)) {
      const before = ownField(original, key);
      const inner = threeWayMerge(isFields(before) ? before : undefined, wanted, found);
      if (Object.keys(inner).length > 0) patch[key] = inner;
    } else if (!isDeepStrictEqual(wanted, found)) patch[key] = withoutNulls(wanted);
  }
  for (const key of Object.keys(original ?? {})) {
    if (!Object.hasOwn(desired, key) && Object.hasOwn(current, key)) patch[key] = null;
  }
  return patch;
}

/**
 * What is applied, as the annotation's text: byte for byte what kubectl writes, so that the two may take turns on an object
 * and the other's note is no change. Keys in order, as Go prints a map, and what could end a script element escaped.
 */
export function lastAppliedNote(applied: Fields): string {
  const text = JSON.stringify(inOrder(applied)).replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `${text}\n`;
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, inOrder(each)]));
}

/** What `apply` last applied to an object; undefined when it never did, or when the note cannot be read. */
export function lastApplied(object: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }): Fields | undefined {
  const note = object.metadata.annotations?.[lastAppliedAnnotation];
  if (note === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(note);
    return isFields(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** In a patch a null would mean "take away"; in a new object it means nothing. */
function withoutNulls(value: unknown): unknown {
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null && each !== undefined).map(([key, each]) => [key, withoutNulls(each)]));
}

import { isDeepStrictEqual } from "node:util";
import type { Fields } from "../base/fields.ts";
import type { ObjectInput } from "../api/meta.ts";
import { mergePatch } from "../api/patch.ts";
import type { AnyObject } from "../api/registry.ts";
import { isAlreadyExists, isConflict, orNone, StatusError } from "../api/status-error.ts";
import { lastApplied, lastAppliedAnnotation, lastAppliedNote, threeWayMerge } from "../api/three-way-merge.ts";
import { parseObject } from "../api/validate.ts";
import type { Store } from "../store/store.ts";
import type { ManifestObject } from "../manifests/read-manifests.ts";
import type { Printable } from "./output.ts";

const attemptsMax = 5;
/** kubectl's: the two take turns on an object, and each must know the other's fields for its own. */
const clientSideManager = "kubectl-client-side-apply";

/** A way to bring one stored object to its manifest. In a dry run nothing is stored. @throws StatusError what the server says to it */
export type ApplyOne = (store: Store, object: ManifestObject, dryRun: boolean) => Promise<AppliedObject>;

/** What applying one manifest came to, or in a dry run would come to. */
export interface AppliedObject {
  readonly object: ManifestObject;
  readonly outcome: "created" | "configured" | "unchanged" | "serverside-applied";
  /** The stored object that was compared with the manifest; undefined when there was none, or when the server compared. */
  readonly before: AnyObject | undefined;
  /** What is stored now; in a dry run, what would be. */
  readonly result: Printable;
}

/**
 * Brings one stored object to its manifest, by a three-way merge with what was applied last. Writes nothing when nothing
 * would change. Reads and tries again when somebody else wrote in between.
 * @throws StatusError what the server says to it
 */
export async function applyObject(store: Store, object: ManifestObject, dryRun: boolean): Promise<AppliedObject> {
  const { kind, namespace, name } = object;
  for (let attempt = 1; ; attempt++) {
    try {
      const before = await currentOf(store, object);
      if (before === undefined) {
        const result = await store.create(kind, withNote(object.raw) as unknown as ObjectInput<AnyObject>, { dryRun, fieldManager: clientSideManager });
        return { object, outcome: "created", before, result };
      }
      const patch = patchFor(object, before);
      if (patch === undefined) return { object, outcome: "unchanged", before, result: before };
      const result = await store.patch(kind, { namespace, name }, { type: "merge", patch }, { dryRun, fieldManager: clientSideManager });
      return { object, outcome: !dryRun && result.metadata.resourceVersion === before.metadata.resourceVersion ? "unchanged" : "configured", before, result };
    } catch (error) {
      // Somebody else wrote or made it between the read and the write.
      if (attempt >= attemptsMax || !(isConflict(error) || isAlreadyExists(error))) throw error;
    }
  }
}

/** The object that a manifest speaks of, as it is stored; undefined when there is none. */
export function currentOf(store: Store, { kind, namespace, name }: ManifestObject): Promise<AnyObject | undefined> {
  return orNone<AnyObject>(store.get(kind, { namespace, name }));
}

/** The patch that brings the object to its manifest; undefined when it would change nothing. */
function patchFor(object: ManifestObject, current: AnyObject): Fields | undefined {
  const patch = threeWayMerge(lastApplied(current), withNote(object.raw), current as unknown as Fields);
  if (Object.keys(patch).length === 0) return undefined;
  // A list is replaced whole, and the manifest's lacks the defaults that the stored one has: only what comes out counts.
  const merged = mergePatch(current, patch) as Fields;
  try {
    const { metadata, body } = parseObject(object.kind, merged, current);
    return isDeepStrictEqual(plain({ ...body, metadata }), plain(current)) ? undefined : patch;
  } catch (error) {
    // The server says it with its own words.
    if (error instanceof StatusError) return patch;
    throw error;
  }
}

/** Without prototypes and fields that are undefined. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** The object with the note of what is applied, as kubectl writes it. */
function withNote(raw: ManifestObject["raw"]): Fields {
  const { [lastAppliedAnnotation]: _old, ...annotations } = (raw.metadata["annotations"] ?? {}) as Readonly<Record<string, string>>;
  const { annotations: _written, ...metadata } = raw.metadata;
  const applied = { ...raw, metadata: { annotations, ...metadata } };
  return { ...applied, metadata: { ...metadata, annotations: { ...annotations, [lastAppliedAnnotation]: lastAppliedNote(applied) } } };
}

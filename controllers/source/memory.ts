import { previewApply, type AppliedPreview } from "../../src/api/apply/preview-apply.ts";
import type { AnyObject } from "../../src/api/registry.ts";
import type { Fields } from "../../src/base/fields.ts";
import { createManifestCache, type ManifestCache } from "../../src/manifests/manifest-cache.ts";
import type { ManifestObject } from "../../src/manifests/read-manifests.ts";
import type { Preview } from "./plan-object.ts";
import { takenOver } from "./take-over.ts";
import type { Wanted } from "./steps.ts";
import { managerOf, wantedOf } from "./wanted.ts";

/**
 * What is kept of a Source between two passes so that one over a settled set costs little. Everything in it follows from what is read and
 * stored (INV-1): without it a pass takes longer and does the same. Only the last good set is known from nowhere else; without it what others
 * change stays so until there is a set again.
 */
export interface SourceMemory {
  readonly manifests: ManifestCache;
  wanted(manifest: ManifestObject): Wanted;
  readonly preview: Preview;
  /** The set that was applied last, and of which spec. It shares what has not changed since with what is read now, and has the same bounds. */
  lastGood: { readonly generation: number; readonly wanted: readonly Wanted[] } | undefined;
}

interface KnownPreview {
  readonly parts: readonly unknown[];
  readonly adopt: boolean;
  readonly preview: AppliedPreview;
}

export function createSourceMemory(source: string): SourceMemory {
  const wanted = new WeakMap<ManifestObject, Wanted>();
  const previews = new WeakMap<Fields, KnownPreview>();
  const manager = managerOf(source);
  return {
    manifests: createManifestCache(),
    lastGood: undefined,
    wanted(manifest) {
      let known = wanted.get(manifest);
      if (known === undefined) wanted.set(manifest, (known = wantedOf(source, manifest)));
      return known;
    },
    preview(live, configuration, adopt) {
      const parts = writtenParts(live);
      const known = previews.get(configuration);
      if (known !== undefined && known.adopt === adopt && known.parts.every((part, i) => part === parts[i])) return known.preview;
      const preview = previewApply(live, configuration, { manager, managedFields: adopt ? takenOver(live, source) : undefined });
      previews.set(configuration, { parts, adopt, preview });
      return preview;
    },
  };
}

/** What an apply looks at. A write of the status leaves all of it the same, not only equal. */
function writtenParts(live: AnyObject): readonly unknown[] {
  const { uid, deletionTimestamp, labels, annotations, finalizers, ownerReferences, managedFields } = live.metadata;
  return [uid, deletionTimestamp, labels, annotations, finalizers, ownerReferences, managedFields, (live as { readonly spec?: unknown }).spec];
}

import type { Fields } from "../../src/base/fields.ts";
import type { AnyObject, KindName } from "../../src/api/registry.ts";
import type { InventoryEntry } from "../../src/api/source.ts";
import type { ManifestObject } from "../../src/manifests/read-manifests.ts";

/** Which object. */
export interface ObjectRef {
  readonly kind: KindName;
  readonly namespace?: string | undefined;
  readonly name: string;
}

export function refKey({ kind, namespace, name }: { readonly kind: string; readonly namespace?: string | undefined; readonly name: string }): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** An object that a Source wants. */
export interface Wanted extends ObjectRef {
  readonly manifest: ManifestObject;
  /** What is applied: the manifest, with the mark of its Source. */
  readonly configuration: Fields;
  /** Fingerprint of that. */
  readonly hash: string;
}

/** One thing to do. What is not wanted any more goes last, what makes room goes first: the carrying out sees to that. */
export type SourceStep =
  | { readonly do: "createNamespace"; readonly name: string }
  | { readonly do: "create"; readonly wanted: Wanted }
  | {
      /** revert: nothing but what others have done is undone. adopt: nothing changes but who owns which field. */
      readonly do: "configure" | "revert" | "adopt";
      readonly wanted: Wanted;
      /** The manifest without the fields that are left to others. */
      readonly configuration: Fields;
      readonly before: AnyObject;
      readonly after: AnyObject;
      readonly fields: readonly string[];
      /** What it does to what runs. */
      readonly effect: string | undefined;
      /** Whether what client-side apply owns is to be taken over first. */
      readonly takeOver: boolean;
    }
  | { readonly do: "prune"; readonly ref: ObjectRef; readonly before: AnyObject }
  /** The Source lets go of it: `why` ends a sentence. */
  | { readonly do: "release"; readonly ref: ObjectRef; readonly why: string }
  /** It is being deleted, and is made again when it has gone. */
  | { readonly do: "await"; readonly wanted: Wanted };

/** Fields that somebody else has changed and that stay so. */
export interface Drift {
  readonly ref: ObjectRef;
  readonly fields: readonly string[];
}

export interface HeldPrune {
  readonly reason: "EmptySet" | "TooMany";
  readonly message: string;
  readonly approval: string;
  readonly refs: readonly ObjectRef[];
}

/** Something wrong with the set; without a place when it is about none of its files. */
export interface SourceProblem {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly field?: string;
  readonly message: string;
}

export type SourcePlan =
  /** The set is not whole, or may not be applied: nothing is done. */
  | { readonly kind: "refused"; readonly reason: "Invalid" | "Refused" | "NotFound"; readonly problems: readonly SourceProblem[] }
  /** Nothing is done until the deletions are approved: `steps` are what would be. */
  | { readonly kind: "held"; readonly held: HeldPrune; readonly steps: readonly SourceStep[]; readonly drift: readonly Drift[] }
  | {
      readonly kind: "go";
      readonly steps: readonly SourceStep[];
      readonly drift: readonly Drift[];
      /** Whether it would be held, had nobody approved its deletions. */
      readonly isApproved: boolean;
      /** All that it has or will have, to be on record before anything is done: what was recorded, and what is made now. */
      readonly claims: readonly InventoryEntry[];
    };

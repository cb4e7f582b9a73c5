import type { SourceSpec } from "../../src/api/source.ts";
import { fingerprint } from "../fingerprint.ts";
import { refKey, type HeldPrune, type ObjectRef } from "./steps.ts";

/** Fewer deletions than this are never too many, unless nothing is wanted any more. */
const guardedPrunesMin = 5;

export interface PruneWish {
  /** With the uid of what is to go: an approval is for these very objects. */
  readonly prunes: readonly (ObjectRef & { readonly uid: string })[];
  /** Objects the Source has, those that are to go included. */
  readonly owned: number;
  /** Objects it wants. */
  readonly wanted: number;
  readonly maxPrunePercent: SourceSpec["maxPrunePercent"];
  /** Why nothing is wanted, should that be so. */
  readonly missing: string;
}

/** What is to be held back until somebody says that it is meant; undefined: nothing. */
export function holdPrune({ prunes, owned, wanted, maxPrunePercent, missing }: PruneWish): HeldPrune | undefined {
  if (prunes.length === 0) return undefined;
  const percent = Math.round((prunes.length * 100) / owned);
  const isTooMany = prunes.length >= guardedPrunesMin && prunes.length * 100 > maxPrunePercent * owned;
  if (wanted > 0 && !isTooMany) return undefined;
  const approval = fingerprint(prunes.map((each) => `${refKey(each)} ${each.uid}`).sort());
  const reason = wanted === 0 ? "EmptySet" : "TooMany";
  const why = wanted === 0 ? missing : `${prunes.length} of ${owned} objects are in it no more, ${percent} % of them, and maxPrunePercent is ${maxPrunePercent}`;
  return { reason, approval, refs: prunes, message: `nothing is applied or deleted: ${why}` };
}

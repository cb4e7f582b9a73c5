import { sourceAnnotation } from "../../src/api/annotations.ts";
import type { AppliedPreview } from "../../src/api/apply/preview-apply.ts";
import { withoutFieldsOf } from "../../src/api/apply/preview-apply.ts";
import { pathsOf } from "../../src/api/apply/field-set.ts";
import { pathText } from "../../src/api/apply/path-element.ts";
import { changeEffect } from "../../src/api/change-effect.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { AnyObject } from "../../src/api/registry.ts";
import type { InventoryEntry, SourceSpec } from "../../src/api/source.ts";
import { isInvalid } from "../../src/api/status-error.ts";
import type { Fields } from "../../src/base/fields.ts";
import { causeProblems } from "../../src/manifests/manifest-problem.ts";
import type { Drift, SourceProblem, SourceStep, Wanted } from "./steps.ts";
import { problemOf } from "./wanted.ts";

/** What applying a configuration would make of a stored object: `previewApply`, for the Source's manager. @throws StatusError Invalid */
export type Preview = (live: AnyObject, configuration: Fields, adopt: boolean) => AppliedPreview;

export interface ObjectContext {
  readonly source: string;
  readonly spec: Pick<SourceSpec, "driftPolicy" | "force">;
  /** What is on record of the object. */
  readonly entry: InventoryEntry | undefined;
  readonly live: AnyObject | undefined;
  readonly sourceExists: (name: string) => boolean;
  readonly preview: Preview;
}

/** What is to be done with one wanted object, and what is wrong with doing it. */
export interface ObjectPlan {
  readonly step?: SourceStep;
  readonly drift?: Drift;
  /** Somebody else has the object. */
  readonly claim?: SourceProblem;
  readonly problems?: readonly SourceProblem[];
}

const fieldsToldMax = 20;
const deletedByHand = "the object, which was deleted";

export function planObject(wanted: Wanted, context: ObjectContext): ObjectPlan {
  const { live, entry, spec } = context;
  if (live === undefined) {
    const wasThere = entry !== undefined && entry.hash === wanted.hash;
    return wasThere && spec.driftPolicy === "report" ? { drift: { ref: wanted, fields: [deletedByHand] } } : { step: { do: "create", wanted } };
  }
  const claim = claimOn(wanted, live, context);
  if (claim.refusal !== undefined) return { claim: claim.refusal };
  if (isDeleting(live)) return { step: { do: "await", wanted } };
  try {
    return planChange(wanted, live, claim.taken, context);
  } catch (error) {
    if (!isInvalid(error)) throw error;
    return { problems: causeProblems({ ...wanted, at: wanted.manifest.at }, error.details.causes ?? [{ field: "", message: error.message }]).map(problemOf) };
  }
}

/** Whether the object may be applied to; `taken`: it is somebody else's until then. */
function claimOn({ kind, name, manifest }: Wanted, live: AnyObject, { source, spec, entry, sourceExists }: ObjectContext): { readonly refusal?: SourceProblem; readonly taken: boolean } {
  if (kind === "Namespace") return { taken: false };
  const owner = live.metadata.annotations?.[sourceAnnotation];
  // An object that lost its mark is still the one on record.
  if (owner === source || (owner === undefined && entry?.uid === live.metadata.uid)) return { taken: false };
  if (spec.force || (owner !== undefined && !sourceExists(owner))) return { taken: true };
  const message = `${kind} "${name}" ${owner === undefined ? "was not applied by this Source" : `belongs to Source "${owner}"`}; take it out of this set, delete it there, or set spec.force to have it taken over`;
  return { refusal: problemOf({ place: manifest.at("metadata.name"), message }), taken: false };
}

function planChange(wanted: Wanted, live: AnyObject, taken: boolean, { spec, entry, preview }: ObjectContext): ObjectPlan {
  const whole = preview(live, wanted.configuration, taken);
  if (whole.fields.length === 0) return whole.owners ? { step: stepOf("adopt", wanted, live, whole, wanted.configuration, taken) } : {};
  const isSameWish = !taken && entry !== undefined && entry.hash === wanted.hash;
  // A Namespace is shared: what others have set there is theirs.
  const leaves = !taken && (spec.driftPolicy === "report" || wanted.kind === "Namespace");
  if (!leaves) return { step: stepOf(isSameWish ? "revert" : "configure", wanted, live, whole, wanted.configuration, taken) };
  if (isSameWish) return { drift: { ref: wanted, fields: whole.fields.slice(0, fieldsToldMax) } };
  const theirs = [...pathsOf(whole.conflicts)].map(pathText);
  if (theirs.length === 0) return { step: stepOf("configure", wanted, live, whole, wanted.configuration, false) };
  const configuration = withoutFieldsOf(wanted.kind, wanted.configuration, whole.conflicts);
  const rest = preview(live, configuration, false);
  const drift = { ref: wanted, fields: theirs.slice(0, fieldsToldMax) };
  if (rest.fields.length === 0 && !rest.owners) return { drift };
  return { drift, step: stepOf(rest.fields.length === 0 ? "adopt" : "configure", wanted, live, rest, configuration, false) };
}

function stepOf(what: "configure" | "revert" | "adopt", wanted: Wanted, before: AnyObject, { object, fields }: AppliedPreview, configuration: Fields, takeOver: boolean): SourceStep {
  return { do: what, wanted, configuration, before, after: object, fields, effect: changeEffect(before, object), takeOver };
}

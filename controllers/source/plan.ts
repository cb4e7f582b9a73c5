import { pruneAnnotation, sourceAnnotation } from "../../src/api/annotations.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Namespace } from "../../src/api/namespace.ts";
import { isKindName, type AnyObject, type KindName } from "../../src/api/registry.ts";
import type { Service } from "../../src/api/service.ts";
import type { InventoryEntry, Source } from "../../src/api/source.ts";
import type { ManifestProblem } from "../../src/manifests/manifest-problem.ts";
import { setProblems } from "../../src/manifests/set-problems.ts";
import { planObject, type ObjectPlan, type Preview } from "./plan-object.ts";
import { approvalInForce } from "./approval.ts";
import { holdPrune } from "./prune-guard.ts";
import { refKey, type ObjectRef, type SourcePlan, type SourceProblem, type SourceStep, type Wanted } from "./steps.ts";
import { kindProblems, problemOf, wantedByKey } from "./wanted.ts";

/** Nodes and Namespaces are left: others live in them, and would go with them. */
const prunedKinds: ReadonlySet<KindName> = new Set<KindName>(["Service", "Workspace", "Source"]);

/** What a pass has seen. */
export interface SourceObservation {
  readonly wanted: readonly Wanted[];
  /** What is wrong with what was read. */
  readonly problems: readonly ManifestProblem[];
  /** Why nothing is there, when the place itself is gone from its repository. */
  readonly missing: string | undefined;
  /** What is stored under the keys (`refKey`) of what is wanted and what is on record. */
  readonly live: ReadonlyMap<string, AnyObject>;
  /** Of the names that what is wanted is in. */
  readonly namespaces: ReadonlyMap<string, Namespace>;
  /** Services of those namespaces. */
  readonly neighbours: readonly Service[];
  readonly sourceExists: (name: string) => boolean;
  readonly preview: Preview;
}

/** What is to be done so that the cluster holds what a Source's set says, and nothing that it said before and says no more. Pure. */
export function planSource(source: Source, seen: SourceObservation): SourcePlan {
  const { wanted, live } = seen;
  const { metadata: { name }, spec, status } = source;
  const inventory = status?.inventory ?? [];
  const entries = new Map(inventory.map((each) => [refKey(each), each]));
  const keys = wantedByKey(wanted);
  const gone = inventory.filter((entry) => !keys.has(refKey(entry))).map((entry) => planGone(source, entry, live.get(refKey(entry))));
  const prunes = gone.filter((step) => step.do === "prune");

  const goingUids = new Set(prunes.map(({ before }) => before.metadata.uid));
  const invalid: SourceProblem[] = [
    ...seen.problems.map(problemOf),
    ...kindProblems(wanted),
    ...setProblems(wanted.map(({ manifest }) => manifest), seen.neighbours.filter(({ metadata }) => !goingUids.has(metadata.uid))).map(problemOf),
    ...roomProblems(wanted, seen.namespaces),
  ];
  const plans = wanted.map((each): ObjectPlan => planObject(each, { source: name, spec, entry: entries.get(refKey(each)), live: live.get(refKey(each)), sourceExists: seen.sourceExists, preview: seen.preview }));
  invalid.push(...plans.flatMap(({ problems = [] }) => problems));
  if (invalid.length > 0) return { kind: "refused", reason: "Invalid", problems: invalid };
  const claimed = plans.flatMap(({ claim }) => (claim === undefined ? [] : [claim]));
  if (claimed.length > 0) return { kind: "refused", reason: "Refused", problems: claimed };

  const steps: readonly SourceStep[] = [...missingNamespaces(wanted, seen.namespaces), ...plans.flatMap(({ step }) => (step === undefined ? [] : [step])), ...gone.filter((step) => step.do !== "forget")];
  const drift = plans.flatMap((each) => (each.drift === undefined ? [] : [each.drift]));
  const held = holdPrune({
    prunes: prunes.map(({ ref, before }) => ({ ...ref, uid: before.metadata.uid })),
    owned: inventory.length,
    wanted: wanted.length,
    maxPrunePercent: spec.maxPrunePercent,
    missing: seen.missing ?? noneLeft(spec),
  });
  const isApproved = held !== undefined && held.approval === approvalInForce(source);
  if (held !== undefined && !isApproved) return { kind: "held", held, steps, drift };
  if (seen.missing !== undefined && !isMeantToBeEmpty(source, gone)) return { kind: "refused", reason: "NotFound", problems: [{ file: "", message: seen.missing }] };
  const fresh = wanted.filter((each) => !entries.has(refKey(each))).map(({ kind, namespace, name: object }): InventoryEntry => ({ kind, ...(namespace === undefined ? {} : { namespace }), name: object, hash: "" }));
  return { kind: "go", steps, drift, isApproved, claims: [...inventory, ...fresh] };
}

/**
 * Whether a directory that is not there is a set without objects, and not a path with a mistake in it: somebody has approved that all goes, or
 * all has gone, maybe in a pass that was cut off. INV-5: else the objects stay, and stay on record.
 */
function isMeantToBeEmpty({ status }: Source, gone: readonly GoneStep[]): boolean {
  return gone.some((step) => step.do === "prune") || (status?.lastAppliedRevision !== undefined && gone.every((step) => step.do === "forget"));
}

/** A mount point without its file system looks like a directory that somebody has emptied. */
function noneLeft({ directory, git }: Source["spec"]): string {
  if (directory !== undefined) return `there is no manifest left in ${directory.path} (if they are on a file system of their own, see that it is mounted)`;
  return `there is no manifest left in ${git?.path === "" ? "" : `${git?.path} of `}${git?.url}`;
}

type GoneStep = Extract<SourceStep, { readonly do: "prune" | "release" }> | { readonly do: "forget" };

/** What becomes of what is on record and no longer in the set. Only what is certainly the Source's own is deleted. */
function planGone({ metadata: { name }, spec }: Source, entry: InventoryEntry, live: AnyObject | undefined): GoneStep {
  if (live === undefined || isDeleting(live) || !isKindName(entry.kind)) return { do: "forget" };
  const ref: ObjectRef = { kind: entry.kind, namespace: entry.namespace, name: entry.name };
  const release = (why: string): GoneStep => ({ do: "release", ref, why });
  const { uid, annotations = {} } = live.metadata;
  if (annotations[sourceAnnotation] !== name || (entry.uid !== undefined && entry.uid !== uid)) return entry.kind === "Namespace" ? { do: "forget" } : release("it is not this Source's any more");
  if (!prunedKinds.has(entry.kind)) return release(`a ${entry.kind} is never pruned`);
  if (entry.kind === "Source" && entry.name === name) return release("a Source does not delete itself");
  if (!spec.prune) return release("spec.prune is false");
  if (annotations[pruneAnnotation] === "disabled") return release(`its annotation ${pruneAnnotation} is disabled`);
  return { do: "prune", ref, before: live };
}

function missingNamespaces(wanted: readonly Wanted[], namespaces: ReadonlyMap<string, Namespace>): readonly SourceStep[] {
  const written = new Set(wanted.filter(({ kind }) => kind === "Namespace").map(({ name }) => name));
  const named = new Set(wanted.flatMap(({ namespace }) => (namespace === undefined ? [] : [namespace])));
  return [...named].filter((name) => !namespaces.has(name) && !written.has(name)).map((name) => ({ do: "createNamespace", name }));
}

function roomProblems(wanted: readonly Wanted[], namespaces: ReadonlyMap<string, Namespace>): readonly SourceProblem[] {
  const going = wanted.filter(({ namespace }) => namespace !== undefined && namespaces.get(namespace)?.metadata.deletionTimestamp !== undefined);
  return going.map(({ kind, name, namespace, manifest }) => problemOf({ place: manifest.at("metadata.namespace"), field: "metadata.namespace", message: `${kind} "${name}": namespace "${namespace}" is being deleted` }));
}

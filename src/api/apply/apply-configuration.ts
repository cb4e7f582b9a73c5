import { applyConflict, type Conflict } from "./apply-conflict.ts";
import { compareValues } from "./compare-values.ts";
import { difference, intersection, union, type FieldSet } from "./field-set.ts";
import { asStored, unownedStructure } from "./managed-part.ts";
import { isSameManager, type Manager, type ManagerIdentity } from "./managers.ts";
import { mergeConfiguration } from "./merge-configuration.ts";
import type { MergeSchema } from "./merge-schema.ts";
import { fieldsOf } from "./owned-fields.ts";
import { pruneReleased } from "./prune-released.ts";
import { trackUpdate, withoutFields } from "./track-update.ts";

/** One apply. */
export interface Application {
  readonly schema: MergeSchema;
  /** The managed part of the object as it is; of one that is not there, an empty one. */
  readonly live: unknown;
  /** The managed part of the configuration, its lists checked (`listCauses`), without nulls. */
  readonly configuration: unknown;
  readonly managers: readonly Manager[];
  readonly applier: ManagerIdentity;
  /** Take fields from other managers instead of failing. */
  readonly force: boolean;
  /** Fields that may be taken from others without `force`. */
  readonly takeable: FieldSet;
  /** RFC 3339. */
  readonly now: string;
}

export interface Applied {
  /** The managed part as it is to be, before defaults. */
  readonly merged: unknown;
  readonly managers: readonly Manager[];
}

/** Manager of what was there before anybody was asked for a name. */
const firstManager = "before-first-apply";

/**
 * The object with a manager's configuration applied, and who owns what of it then. The applier owns exactly what it names;
 * what it named the last time, names no more and nobody else owns goes (`pruneReleased`). A field that others own stays
 * theirs too while both want the same value; wanting another is a conflict.
 * Source: sigs.k8s.io/structured-merge-diff/v4/merge, Updater.Apply; kubernetes.io, "Server-Side Apply".
 * @throws StatusError Conflict with a cause for each field, unless `force`
 */
export function applyConfiguration(application: Application): Applied {
  const { conflicts, ...applied } = forcedApplication(application);
  if (!application.force && conflicts.length > 0) throw applyConflict(conflicts);
  return applied;
}

/** What comes out when no conflict keeps it from being so, and with whom there is one all the same. */
export function forcedApplication({ schema, live, configuration, managers: known, applier, takeable, now }: Omit<Application, "force">): Applied & { readonly conflicts: readonly Conflict[] } {
  const managers = known.length > 0 ? known : trackUpdate({ schema, before: emptyAs(live), after: live, managers: [], writer: { ...applier, operation: "Update", name: firstManager }, now });
  const last = managers.find((each) => isSameManager(each, applier));
  const others = managers.filter((each) => each !== last);
  const own = difference(fieldsOf(schema, configuration), unownedStructure);
  const merged = mergeConfiguration(schema, live, configuration);
  const kept = [own, unownedStructure, ...others.map(({ fields }) => fields)].reduce(union);
  // What is stored decides who owns what of it: a map of labels that has become empty is not there, and nobody's.
  const pruned = asStored(last === undefined ? merged : pruneReleased(schema, merged, { released: last.fields, kept }));
  const { added, modified, removed } = compareValues(schema, live, pruned);
  const taken = union(added, modified);
  const conflicts = others.map((manager): Conflict => ({ manager, fields: difference(intersection(manager.fields, taken), takeable) })).filter(({ fields }) => fields.size > 0);
  const next: Manager = { ...applier, time: now, fields: own };
  return { merged: pruned, managers: [...withoutFields(others, union(taken, removed)), ...(own.size > 0 ? [next] : [])], conflicts };
}

/** The same part of an object that has nothing in it. */
function emptyAs(part: unknown): unknown {
  return typeof part === "object" && part !== null && "metadata" in part ? { metadata: {} } : {};
}

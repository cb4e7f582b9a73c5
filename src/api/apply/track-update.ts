import { compareValues } from "./compare-values.ts";
import { difference, intersection, union, type FieldSet } from "./field-set.ts";
import { unownedStructure } from "./managed-part.ts";
import { capUpdateManagers, isSameManager, type Manager, type ManagerIdentity } from "./managers.ts";
import type { MergeSchema } from "./merge-schema.ts";

/** One write that replaced or patched. */
export interface Update {
  readonly schema: MergeSchema;
  /** The managed parts before and after. */
  readonly before: unknown;
  readonly after: unknown;
  readonly managers: readonly Manager[];
  readonly writer: ManagerIdentity;
  /** RFC 3339. */
  readonly now: string;
}

/**
 * Who owns what after a write that is no apply: the writer owns what it added or changed and everybody else loses it; what
 * it removed is nobody's. A writer that changes nothing gets nothing.
 * Source: sigs.k8s.io/structured-merge-diff/v4/merge, Updater.Update; k8s.io/apimachinery managedfields, managedfieldsupdater.go.
 */
export function trackUpdate({ schema, before, after, managers, writer, now }: Update): readonly Manager[] {
  const { added, modified, removed } = compareValues(schema, before, after);
  const taken = difference(union(added, modified), unownedStructure);
  const left = withoutFields(managers, union(taken, removed));
  if (taken.size === 0) return left;
  const own = left.find((each) => isSameManager(each, writer));
  const next: Manager = { ...writer, time: now, fields: own === undefined ? taken : union(own.fields, taken) };
  return capUpdateManagers([...left.filter((each) => each !== own), next]);
}

/** The managers without these fields; those who have none left are none any more. */
export function withoutFields(managers: readonly Manager[], lost: FieldSet): readonly Manager[] {
  return managers.map((each) => (intersection(each.fields, lost).size === 0 ? each : { ...each, fields: difference(each.fields, lost) })).filter(({ fields }) => fields.size > 0);
}

import { pruneAnnotation } from "../api/annotations.ts";
import type { AnyObject, KindName } from "../api/registry.ts";
import type { LabelSelector } from "../api/selectors.ts";
import { lastAppliedAnnotation } from "../api/three-way-merge.ts";
import type { DeleteTarget } from "./await-gone.ts";
import { deleteAll } from "./commands/delete.ts";
import { resourceName } from "./kind-words.ts";
import type { ManifestObject } from "../manifests/read-manifests.ts";
import type { Session } from "./session.ts";

// Nodes and Namespaces are left: others live in them, and would go with them.
const prunedKinds = ["Service", "Workspace"] as const satisfies readonly KindName[];

export interface PruneOptions {
  /** What has been applied, or in a dry run would be: its namespaces, and no others, are looked through. */
  readonly applied: readonly ManifestObject[];
  /** Never deleted. All that was read, not only what the selector let through. */
  readonly manifests: readonly ManifestObject[];
  /** Which objects may go. Empty: all. */
  readonly labels: LabelSelector;
  readonly dryRun: boolean;
  /** Also until they are gone, at most so long. */
  readonly wait: boolean;
  readonly timeoutMs: number;
  /** Called with a line for each. */
  readonly say: (line: string) => void;
}

/**
 * Deletes what was applied once and is in no manifest any more: of the kinds Service and Workspace, with apply's note on it.
 * Services go before what they depend on. To be called only when all has been applied: until then a manifest may be missing
 * for no other reason than that it could not be read.
 */
export async function pruneObjects(session: Session, { applied, manifests, labels, dryRun, wait, timeoutMs, say }: PruneOptions): Promise<void> {
  const store = await session.connect();
  const namespaces = [...new Set(applied.map((each) => each.namespace).filter((each) => each !== undefined))];
  const lists = await Promise.all(namespaces.flatMap((namespace) => prunedKinds.map((kind) => store.list(kind, { namespace, labels }))));
  const kept = new Set(manifests.map(keyOf));
  const targets = lists
    .flatMap(({ items }): readonly AnyObject[] => items)
    .filter(mayGo)
    .map(({ kind, metadata: { namespace, name, uid } }): DeleteTarget => ({ kind, namespace, name, uid }))
    .filter((target) => !kept.has(keyOf(target)));
  await deleteAll(session, store, targets, { timeoutMs, wait, dryRun, say: ({ kind, name }) => say(`${resourceName(kind)}/${name} pruned${dryRun ? " (server dry run)" : ""}`) });
}

function mayGo({ metadata: { annotations = {}, deletionTimestamp } }: AnyObject): boolean {
  return annotations[lastAppliedAnnotation] !== undefined && annotations[pruneAnnotation] !== "disabled" && deletionTimestamp === undefined;
}

function keyOf({ kind, namespace, name }: DeleteTarget): string {
  return `${kind} ${namespace ?? ""}/${name}`;
}

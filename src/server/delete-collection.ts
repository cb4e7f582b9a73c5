import type { Clock } from "../base/clock.ts";
import type { KindDefinition } from "../api/kind.ts";
import type { StoredObject } from "../api/meta.ts";
import { kinds, type KindName } from "../api/registry.ts";
import { isConflict, isNotFound } from "../api/status-error.ts";
import type { ListResult, Store } from "../store/store.ts";
import type { DeleteWish } from "./delete-options.ts";
import { listRepresentation, writeList } from "./list.ts";
import type { Query } from "./query.ts";

/** Deletions of one request under way at once: enough that they share the disk's writes, few enough to leave room for others. */
const deletionsMax = 64;

/**
 * Deletes what a list with the same query would show, and answers with that list, as Kubernetes does. Not one transaction: what
 * was deleted before an error stays deleted, and what is created meanwhile stays.
 */
export async function deleteCollection({ store, clock }: { readonly store: Store; readonly clock: Clock }, kindName: KindName, namespace: string | undefined, query: Query, { preconditions, propagation, dryRun }: DeleteWish, accept: string | null): Promise<Response> {
  const representation = listRepresentation(accept);
  const limit = query.count("limit");
  const selection = { ...query.selection(kinds[kindName] as KindDefinition<never>, namespace), limit: limit === 0 ? undefined : limit, continue: query.text("continue") };
  const list: ListResult<StoredObject> = await store.list(kindName, selection);
  const remove = async ({ metadata }: StoredObject) => {
    // Another object that has taken the name meanwhile was not listed: its conflict is no failure.
    const expected = { ...preconditions, uid: preconditions.uid ?? metadata.uid };
    await store.delete(kindName, metadata, expected, { propagation, dryRun }).catch((error: unknown) => {
      const replaced = isConflict(error) && preconditions.uid === undefined && preconditions.resourceVersion === undefined;
      if (!isNotFound(error) && !replaced) throw error;
    });
  };
  for (let from = 0; from < list.items.length; from += deletionsMax) {
    const results = await Promise.allSettled(list.items.slice(from, from + deletionsMax).map(remove));
    const failed = results.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
  return writeList(clock, kindName, list, query, representation);
}

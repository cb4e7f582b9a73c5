import type { NamespacedName } from "../base/keys.ts";
import type { KindDefinition } from "../api/kind.ts";
import type { StoredObject } from "../api/meta.ts";
import { kinds, type KindName } from "../api/registry.ts";
import { invalid, StatusError, versionTooLarge, type StatusCause } from "../api/status-error.ts";
import type { ListResult, Store } from "../store/store.ts";
import type { Query } from "./query.ts";

// How `meta/v1` ListOptions go together, and what they are refused with.
// Source: Kubernetes API concepts, "Resource versions"; k8s.io/apimachinery, validation of ListOptions.

const matches = ["Exact", "NotOlderThan"] as const;

/**
 * The list a query asks for.
 *
 * - `resourceVersion` with Exact, or with a limit: the list as it was at that version; Expired when that is no longer kept.
 * - `resourceVersion` otherwise (NotOlderThan): the newest there is; Timeout (ResourceVersionTooLarge) when even that is older.
 * - `continue`: the next page of the list it was given with.
 *
 * @throws StatusError BadRequest, Invalid, Expired, Timeout
 */
export async function readList(store: Store, kindName: KindName, namespace: string | undefined, query: Query): Promise<ListResult<StoredObject>> {
  const kind = kinds[kindName] as KindDefinition<never>;
  const selection = query.selection(kind, namespace);
  const version = query.resourceVersion();
  const match = query.text("resourceVersionMatch");
  const token = query.text("continue");
  const limit = query.count("limit") || undefined;
  const causes: StatusCause[] = [];
  if (match !== undefined) {
    if (version === undefined) causes.push(forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    if (token !== undefined) causes.push(forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
    causes.push(...unsupported(match));
    if (match === "Exact" && version === "0") causes.push(forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (query.choice("sendInitialEvents") !== undefined) causes.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  refuse(causes);
  if (token !== undefined && version !== undefined && version !== "0") throw new StatusError("BadRequest", "specifying resource version is not allowed when using continue");

  const wanted = version === undefined || version === "0" || token !== undefined ? undefined : version;
  const exact = wanted !== undefined && (match === "Exact" || (match === undefined && limit !== undefined));
  const result: ListResult<StoredObject> = await store.list(kindName, { ...selection, limit, continue: token, at: exact ? wanted : undefined });
  if (!exact) requireVersion(wanted, result.resourceVersion);
  return result;
}

/** What a watch may not ask for. @throws StatusError Invalid */
export function checkWatchOptions(query: Query): void {
  const match = query.text("resourceVersionMatch");
  const initial = query.choice("sendInitialEvents") !== undefined;
  const causes: StatusCause[] = [];
  if (initial && match !== "NotOlderThan") causes.push(forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  if (!initial && match !== undefined) causes.push(forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  refuse(causes);
}

/**
 * A read that must not be older than `wanted`, of a store that is at `current`. The store is the only one there is: to
 * wait for a version of another would be in vain.
 * @throws StatusError Timeout
 */
export function requireVersion(wanted: string | undefined, current: string): void {
  if (wanted === undefined || BigInt(wanted) <= BigInt(current)) return;
  throw versionTooLarge(wanted, current);
}

/** One object, not older than the query's resourceVersion. @throws StatusError NotFound, Timeout */
export async function readObject(store: Store, kindName: KindName, ref: NamespacedName, query: Query): Promise<StoredObject> {
  const wanted = query.resourceVersion();
  const object: StoredObject = await store.get(kindName, ref);
  // The store may be further than this object is: asked for only when the object alone is no proof.
  if (wanted !== undefined && BigInt(wanted) > BigInt(object.metadata.resourceVersion)) requireVersion(wanted, (await store.list(kindName, { limit: 1 })).resourceVersion);
  return object;
}

function forbidden(field: string, why: string): StatusCause {
  return { field, reason: "FieldValueForbidden", message: `Forbidden: ${why}` };
}

function unsupported(match: string): readonly StatusCause[] {
  if ((matches as readonly string[]).includes(match)) return [];
  return [{ field: "resourceVersionMatch", reason: "FieldValueNotSupported", message: `Unsupported value: ${JSON.stringify(match.slice(0, 100))}: supported values: "Exact", "NotOlderThan", ""` }];
}

function refuse(causes: readonly StatusCause[]): void {
  if (causes.length > 0) throw invalid("ListOptions.meta.k8s.io", "", causes);
}

import type { KindName } from "../api/registry.ts";
import type { Service } from "../api/service.ts";
import { isNotFound, StatusError, type StatusReason } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import { applyObject, type AppliedObject, type ApplyOne } from "./apply-object.ts";
import { checkManifestSet } from "./manifest-set.ts";
import { ManifestError, type ManifestObject } from "./manifests.ts";
import { namespaceHint } from "./not-found.ts";
import type { Printable } from "./output.ts";

// Services come before their Workspace: its container is then made with their ports published, which cannot be done later.
// (A manifest of a Pod is refused before.)
const order: { readonly [K in KindName]: number } = { Namespace: 0, Node: 1, Service: 2, Workspace: 3, Pod: 3, Lease: 4, Event: 5 };
const aboutTheObject: ReadonlySet<StatusReason> = new Set<StatusReason>(["Invalid", "NotFound", "BadRequest", "Forbidden"]);

/** The objects in the order they are applied in; within a kind as they were given. */
export function inApplyOrder(objects: readonly ManifestObject[]): readonly ManifestObject[] {
  return [...objects].sort((a, b) => order[a.kind] - order[b.kind]);
}

/**
 * What applying the set would come to: its rules checked together with what is stored, then the server asked about each
 * object, in the order given. Stores nothing.
 * @throws ManifestError with all that is refused, each with its place
 */
export async function planApply(store: Store, objects: readonly ManifestObject[], signal: AbortSignal, applyOne: ApplyOne = applyObject): Promise<readonly AppliedObject[]> {
  checkManifestSet(objects, await neighboursOf(store, objects));
  const rooms = new Set(objects.filter((each) => each.kind === "Namespace").map((each) => each.name));
  const problems: string[] = [];
  const planned: AppliedObject[] = [];
  const absent = new Set<string>();
  for (const object of objects) {
    signal.throwIfAborted();
    try {
      planned.push(await applyOne(store, object, true));
    } catch (error) {
      if (!(error instanceof StatusError) || error.cause !== undefined) throw error;
      // Its namespace is made by this very set.
      if (isNotFound(error) && object.namespace !== undefined && rooms.has(object.namespace)) planned.push({ object, outcome: "created", before: undefined, result: object.parsed as unknown as Printable });
      // What is not about the object (the store has stopped, too many requests) is told as it is.
      else if (!aboutTheObject.has(error.reason)) throw error;
      else {
        const { causes = [], kind, name } = error.details;
        if (isNotFound(error) && kind === "namespaces" && name !== undefined) {
          // Once for all that is to go there.
          if (!absent.has(name)) problems.push(`${object.place}: ${error.message}; ${await namespaceHint(store, name)}`);
          absent.add(name);
          continue;
        }
        if (causes.length === 0) problems.push(`${object.place}: ${error.message}`);
        else problems.push(...causes.map(({ field, message }) => `${object.placeOf(field)}: ${object.kind} "${object.name}": ${field}: ${message}`));
      }
    }
  }
  if (problems.length > 0) throw new ManifestError(problems);
  return planned;
}

async function neighboursOf(store: Store, objects: readonly ManifestObject[]): Promise<readonly Service[]> {
  const namespaces = new Set(objects.filter((each) => each.kind === "Service").map((each) => each.namespace));
  const lists = await Promise.all([...namespaces].map((namespace) => store.list("Service", { namespace })));
  return lists.flatMap((list) => list.items);
}

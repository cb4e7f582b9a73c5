import type { Service } from "../api/service.ts";
import { isNotFound, StatusError, type StatusReason } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import { applyObject, type AppliedObject, type ApplyOne } from "./apply-object.ts";
import { causeProblems, type ManifestProblem } from "../manifests/manifest-problem.ts";
import type { ManifestObject } from "../manifests/read-manifests.ts";
import { checkManifestSet, ManifestError } from "./manifests.ts";
import { namespaceHint } from "./not-found.ts";
import type { Printable } from "./output.ts";

const aboutTheObject: ReadonlySet<StatusReason> = new Set<StatusReason>(["Invalid", "NotFound", "BadRequest", "Forbidden"]);

/**
 * What applying the set would come to: its rules checked together with what is stored, then the server asked about each
 * object, in the order given. Stores nothing.
 * @throws ManifestError with all that is refused, each with its place
 */
export async function planApply(store: Store, objects: readonly ManifestObject[], signal: AbortSignal, applyOne: ApplyOne = applyObject): Promise<readonly AppliedObject[]> {
  checkManifestSet(objects, await neighboursOf(store, objects));
  const rooms = new Set(objects.filter((each) => each.kind === "Namespace").map((each) => each.name));
  const problems: ManifestProblem[] = [];
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
          if (!absent.has(name)) problems.push({ place: object.at(""), message: `${error.message}; ${await namespaceHint(store, name)}` });
          absent.add(name);
          continue;
        }
        if (causes.length === 0) problems.push({ place: object.at(""), message: error.message });
        else problems.push(...causeProblems(object, causes));
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

import { isFields, type Fields } from "../base/fields.ts";
import { deletionPropagations, type DeletionPropagation } from "../api/deletion.ts";
import { invalid, StatusError, type StatusCause } from "../api/status-error.ts";
import type { Preconditions } from "../store/store.ts";
import type { Query } from "./query.ts";

/** What a DELETE asks for besides its path. */
export interface DeleteWish {
  readonly preconditions: Preconditions;
  readonly propagation: DeletionPropagation | undefined;
  readonly dryRun: boolean;
  /** The client asked with orphanDependents=false that dependents go too: an answer that they are still going is 202 then. */
  readonly cascading: boolean;
}

/**
 * Reads `meta/v1` DeleteOptions from body and query; the body goes first. gracePeriodSeconds is read and has no effect: how long a
 * Workspace and a Service get is in their specs.
 * @throws StatusError BadRequest when it is no DeleteOptions, Invalid when a value is not one that it may have
 */
export function deleteWish(body: unknown, query: Query): DeleteWish {
  const options = optionsOf(body);
  const causes: StatusCause[] = [];
  const refuse = (field: string, message: string, reason = "FieldValueInvalid") => void causes.push({ field, message, reason });

  const text = query.text("propagationPolicy");
  const { propagationPolicy: policy = text, orphanDependents = query.choice("orphanDependents"), gracePeriodSeconds = query.count("gracePeriodSeconds") } = options;
  const propagation = deletionPropagations.find((each) => each === policy);
  if (present(policy) && propagation === undefined) {
    refuse("propagationPolicy", `Unsupported value: ${JSON.stringify(policy)?.slice(0, 100)}: supported values: ${[...deletionPropagations, "nil"].map((each) => `"${each}"`).join(", ")}`, "FieldValueNotSupported");
  }
  if (present(orphanDependents) && typeof orphanDependents !== "boolean") refuse("orphanDependents", "must be true or false", "FieldValueTypeInvalid");
  else if (present(orphanDependents) && present(policy)) refuse("propagationPolicy", "orphanDependents and deletionPropagation cannot be both set");
  if (present(gracePeriodSeconds) && !(Number.isSafeInteger(gracePeriodSeconds) && (gracePeriodSeconds as number) >= 0)) refuse("gracePeriodSeconds", "must be a whole number of seconds, 0 or more");

  const { dryRun = [], preconditions } = options;
  const dryRuns: readonly unknown[] = Array.isArray(dryRun) ? dryRun : [dryRun];
  if (dryRuns.some((each) => each !== "All")) refuse("dryRun", 'must be a list of "All"', "FieldValueNotSupported");
  if (present(preconditions) && (typeof preconditions !== "object" || Array.isArray(preconditions))) refuse("preconditions", "must be an object", "FieldValueTypeInvalid");
  const { uid, resourceVersion } = (preconditions ?? {}) as Record<string, unknown>;
  for (const [field, value] of [["uid", uid], ["resourceVersion", resourceVersion]] as const) {
    if (present(value) && typeof value !== "string") refuse(`preconditions.${field}`, "must be a string", "FieldValueTypeInvalid");
  }
  if (causes.length > 0) throw invalid("DeleteOptions.meta.k8s.io", "", causes);
  return {
    preconditions: { uid: (uid as string | null | undefined) ?? undefined, resourceVersion: (resourceVersion as string | null | undefined) ?? undefined },
    propagation: propagation ?? (orphanDependents === true ? "Orphan" : orphanDependents === false ? "Background" : undefined),
    dryRun: dryRuns.length > 0 || query.dryRun(),
    cascading: orphanDependents === false,
  };
}

function optionsOf(body: unknown): Fields {
  if (body === undefined) return {};
  if (!isFields(body)) throw new StatusError("BadRequest", "Cannot read DeleteOptions: expected an object");
  const { kind } = body;
  if (kind !== undefined && kind !== "DeleteOptions") throw new StatusError("BadRequest", `the request's body must be DeleteOptions, not ${JSON.stringify(kind)?.slice(0, 100)}`);
  return body;
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null;
}

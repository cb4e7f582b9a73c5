import { isFields, type Fields } from "../base/fields.ts";
import { applyConfiguration } from "../api/apply/apply-configuration.ts";
import { fieldsOfNote, kubectlManager, withFreshNote } from "../api/apply/client-side-note.ts";
import { noFields } from "../api/apply/field-set.ts";
import { mergeSchemaOf } from "../api/apply/kind-merge-schema.ts";
import { listCauses } from "../api/apply/list-items.ts";
import { managedPart, withoutNulls, type Subresource } from "../api/apply/managed-part.ts";
import { decodeManagers, encodeManagers } from "../api/apply/managers.ts";
import { apiVersionOf, qualifiedKind, qualifiedResource } from "../api/kind.ts";
import type { AnyObject, KindName } from "../api/registry.ts";
import { conflict, invalid, StatusError } from "../api/status-error.ts";
import { refuseForeignKeys } from "../api/validate.ts";
import type { NamespacedName } from "../base/keys.ts";
import { createdObject, definitionOf, objectWithStatus, updatedObject, type NewIdentity } from "./next-object.ts";
import { unlessOnlyTimes, withManagedFields } from "./tracked-object.ts";

/** What is to be applied, where, and by whom. */
export interface ApplyWish {
  readonly ref: NamespacedName;
  readonly configuration: object;
  readonly manager: string;
  readonly force: boolean;
  readonly subresource: Subresource;
}


/**
 * The object after an apply: what the configuration names is so, and who owns which field is in its managedFields.
 * @param before undefined: it is made
 * @returns `before` when nothing but a time would differ
 * @throws StatusError Conflict (other managers, preconditions in the configuration), Invalid, BadRequest
 */
export function appliedObject(kind: KindName, before: AnyObject | undefined, wish: ApplyWish, identity: NewIdentity): AnyObject {
  const { manager, force, subresource } = wish;
  const apiVersion = apiVersionOf(definitionOf(kind));
  const written = checkedConfiguration(kind, wish, apiVersion);
  const schema = mergeSchemaOf(kind);
  const configuration = withoutNulls(managedPart(written, subresource));
  const causes = listCauses(schema, configuration);
  if (causes.length > 0) throw invalid(qualifiedKind(definitionOf(kind)), wish.ref.name, causes);
  const byKubectl = manager === kubectlManager && subresource === undefined;
  const { merged, managers } = applyConfiguration({
    schema,
    live: managedPart(before, subresource),
    configuration,
    managers: decodeManagers(before?.metadata.managedFields ?? [], apiVersion) ?? [],
    applier: { name: manager, operation: "Apply", apiVersion, subresource: subresource ?? "" },
    force,
    takeable: byKubectl && before !== undefined ? fieldsOfNote(schema, before, apiVersion) : noFields,
    now: identity.now,
  });
  const input = objectOf(byKubectl ? withFreshNote(merged, written) : merged, written, wish.ref, kind);
  const entries = encodeManagers(managers);
  if (before === undefined) return withManagedFields(kind, created(kind, input, identity), entries);
  const after = (subresource === "status" ? objectWithStatus : updatedObject)(kind, input, before, identity.version);
  const versioned = after === before ? ({ ...before, metadata: { ...before.metadata, resourceVersion: identity.version } } as AnyObject) : after;
  return unlessOnlyTimes(before, withManagedFields(kind, versioned, entries));
}

/** @throws StatusError BadRequest, in the words of Kubernetes' API server where it has some */
function checkedConfiguration(kind: KindName, { ref, configuration }: ApplyWish, expected: string): Fields {
  if (!isFields(configuration)) throw new StatusError("BadRequest", `Cannot apply to ${kind} "${ref.name}": the configuration is no object`);
  refuseForeignKeys(configuration, "");
  const { apiVersion, kind: given, metadata = {} } = configuration;
  if (apiVersion !== expected) throw new StatusError("BadRequest", `Incorrect version specified in apply patch. Specified patch version: ${typeof apiVersion === "string" ? apiVersion : "none"}, expected: ${expected}`);
  if (given !== kind) throw new StatusError("BadRequest", `Cannot apply to ${kind} "${ref.name}": the configuration's kind is ${JSON.stringify(given) ?? "absent"}; expected "${kind}"`);
  if (!isFields(metadata)) throw new StatusError("BadRequest", `Cannot apply to ${kind} "${ref.name}": metadata is no object`);
  if (metadata["managedFields"] !== undefined && metadata["managedFields"] !== null) throw new StatusError("BadRequest", "metadata.managedFields must be nil");
  for (const [field, sent, asked] of [["name", metadata["name"], ref.name], ["namespace", metadata["namespace"], ref.namespace]] as const) {
    if (sent !== undefined && sent !== null && sent !== "" && sent !== asked) throw new StatusError("BadRequest", `the ${field} of the object (${JSON.stringify(sent)}) does not match the ${field} it is applied to (${JSON.stringify(asked) ?? "none"})`);
  }
  return configuration;
}

/** The merged part as an object of that place, with the preconditions that the configuration names. */
function objectOf(merged: unknown, { metadata }: Fields, { name, namespace }: NamespacedName, kind: KindName): Fields & { readonly metadata: Fields } {
  const { uid, resourceVersion } = (metadata ?? {}) as Fields;
  const part = merged as Fields;
  return {
    ...part,
    apiVersion: apiVersionOf(definitionOf(kind)),
    kind,
    metadata: { ...(part["metadata"] as Fields | undefined), name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) },
  };
}

function created(kind: KindName, input: ReturnType<typeof objectOf>, identity: NewIdentity): AnyObject {
  const { uid, resourceVersion, name } = input.metadata;
  // A precondition is about an object that was seen: one that is gone must not come back by it.
  for (const [field, value] of [["uid", uid], ["resourceVersion", resourceVersion]] as const) {
    if (value) throw conflict(qualifiedResource(definitionOf(kind)), String(name), `${field} mismatch: the provided object specified ${field} ${JSON.stringify(value)}, and no existing object was found`);
  }
  return createdObject(kind, input, identity, () => String(name));
}

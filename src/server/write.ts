import { isFields } from "../base/fields.ts";
import { unknownFieldsOf, pruneUnknownFields } from "../api/prune.ts";
import { checkFieldManager, forceForbidden, managerOfUserAgent, type OptionsKind } from "../api/apply/field-manager.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { KindName, AnyObject } from "../api/registry.ts";
import { isBuiltin } from "../api/kind.ts";
import { kindPaths } from "../api/paths.ts";
import { isInvalid, StatusError } from "../api/status-error.ts";
import type { Patch } from "../store/store.ts";
import { applyPatchType } from "./body.ts";
import type { Query } from "./query.ts";

/** What to do about fields a kind does not know. "Store": the client said nothing, and the store refuses them as Invalid (422). */
export type FieldValidation = "Store" | "Strict" | "Warn" | "Ignore";

export function fieldValidationOf(query: Query): FieldValidation {
  return query.oneOf("fieldValidation", ["Strict", "Warn", "Ignore"] as const) ?? "Store";
}

/** The value to hand to the store, and the warnings for the client. */
export function checkedFields(kind: KindName, value: unknown, validation: FieldValidation): { readonly value: unknown; readonly warnings: readonly string[] } {
  if (validation === "Store" || validation === "Strict") return { value, warnings: [] };
  const pruned = pruneUnknownFields(kind, value);
  return { value: pruned.value, warnings: validation === "Warn" ? pruned.unknown.map((field) => `unknown field "${field}"`) : [] };
}

/** Runs a write; under Strict what the store says of unknown fields is told in the words kubectl's users know, as 400. */
export async function strictly<T>(kind: KindName, validation: FieldValidation, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const unknown = validation === "Strict" && isInvalid(error) ? unknownFieldsOf(error.details.causes) : [];
    if (unknown.length === 0) throw error;
    const fields = unknown.map((field) => `unknown field "${field}"`).join(", ");
    const { details } = error as StatusError;
    throw new StatusError("BadRequest", `${kind} in version "${kindPaths[kind].version}" cannot be handled as a ${kind}: strict decoding error: ${fields}`, details, { cause: error });
  }
}

/**
 * The body as an object of this place: its name and namespace are filled in from the path, or must agree with it.
 * What else it must be, the store checks.
 */
export function objectAt(kind: KindName, body: unknown, { namespace, name }: { readonly namespace: string | undefined; readonly name: string | undefined }): AnyObject {
  if (!isFields(body)) throw new StatusError("BadRequest", `Cannot read a ${kind}: the request's body holds no object`);
  const { metadata = {} } = body;
  if (!isFields(metadata)) throw new StatusError("BadRequest", `Cannot read a ${kind}: metadata is no object`);
  const given: { readonly name?: unknown; readonly namespace?: unknown; readonly resourceVersion?: unknown } = metadata;
  // A path without a name is one to create at. The words are Kubernetes'.
  if (name === undefined && given.resourceVersion !== undefined && given.resourceVersion !== "") throw new StatusError("BadRequest", "resourceVersion should not be set on objects to be created");
  if (namespace !== undefined && given.namespace !== undefined && given.namespace !== "" && given.namespace !== namespace) {
    throw new StatusError("BadRequest", `the namespace of the provided object does not match the namespace sent on the request (${JSON.stringify(given.namespace)} and ${JSON.stringify(namespace)})`);
  }
  if (name !== undefined && given.name !== undefined && given.name !== name) {
    throw new StatusError("BadRequest", `the name of the object (${String(given.name)}) does not match the name on the URL (${name})`);
  }
  return { ...body, metadata: { ...metadata, ...(namespace === undefined ? {} : { namespace }), ...(name === undefined ? {} : { name }) } } as unknown as AnyObject;
}

/** Who creates, updates or patches: who the query names, else what the User-Agent begins with. */
export function managerOf(query: Query, userAgent: string | undefined, options: OptionsKind): string {
  const named = query.text("fieldManager");
  return named === undefined ? managerOfUserAgent(userAgent) : checkFieldManager(named, options);
}

/** Who patches, and whether an apply may take what others own. */
export function patcherOf(query: Query, userAgent: string | undefined, isApply: boolean): { readonly fieldManager: string | undefined; readonly force: boolean } {
  const force = query.choice("force");
  if (force !== undefined && !isApply) throw forceForbidden();
  // Who applies must say who it is: by a User-Agent two programs would share their fields unasked. The store refuses none.
  const isUnnamed = isApply && query.text("fieldManager") === undefined;
  return { fieldManager: isUnnamed ? undefined : managerOf(query, userAgent, "PatchOptions"), force: force === true };
}

export const mergePatchType = "application/merge-patch+json";
export const jsonPatchType = "application/json-patch+json";
export const strategicPatchType = "application/strategic-merge-patch+json";

/** Media types of patches that a kind takes. */
export function patchTypesOf(of: { readonly group: string }): readonly string[] {
  return [jsonPatchType, mergePatchType, applyPatchType, ...(isBuiltin(of) ? [strategicPatchType] : [])];
}

/** A PATCH body as the store takes it. Names that reach beyond the object are refused in a JSON Patch's paths too. */
export function patchOf(kind: KindName, type: string, body: unknown, validation: FieldValidation, force: boolean): { readonly patch: Patch; readonly warnings: readonly string[] } {
  if (type === applyPatchType) {
    if (!isFields(body)) throw new StatusError("BadRequest", "Cannot read the apply patch: expected an object");
    const { value, warnings } = checkedFields(kind, body, validation);
    return { patch: { type: "apply", patch: value as object, force }, warnings };
  }
  if (type === mergePatchType || type === strategicPatchType) {
    if (!isFields(body)) throw new StatusError("BadRequest", "Cannot read the merge patch: expected an object");
    // Its directives are no fields of the kind: what is unknown in it the store refuses.
    if (type === strategicPatchType) return { patch: { type: "strategic", patch: body }, warnings: [] };
    const { value, warnings } = checkedFields(kind, body, validation);
    return { patch: { type: "merge", patch: value }, warnings };
  }
  if (!Array.isArray(body)) throw new StatusError("BadRequest", "Cannot read the JSON patch: expected a list of operations");
  if (body.length > jsonPatchOperationsMax) throw new StatusError("RequestEntityTooLarge", `The allowed maximum operations in a JSON patch is ${jsonPatchOperationsMax}, got ${body.length}`);
  for (const [i, operation] of body.entries()) {
    if (typeof operation !== "object" || operation === null) throw new StatusError("BadRequest", `Cannot read the JSON patch: operation ${i} is no object`);
    for (const pointer of [(operation as { path?: unknown }).path, (operation as { from?: unknown }).from]) {
      if (typeof pointer === "string" && /(^|\/)(__proto__|constructor|prototype)(\/|$)/.test(pointer)) throw new StatusError("BadRequest", `Cannot read the JSON patch: operation ${i} names ${JSON.stringify(pointer.slice(0, 200))}, which is not allowed`);
    }
  }
  return { patch: { type: "json", patch: body as object[] }, warnings: [] };
}

/** As Kubernetes' API server. */
const jsonPatchOperationsMax = 10_000;

/** The answer to a DELETE that removed the object. Source: Kubernetes API conventions, Status of a deletion. */
export function deletedStatus(kind: KindName, { name, uid }: NamespacedName & { readonly uid: string }): object {
  const { plural, group } = kindPaths[kind];
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details: { name, ...(group === "" ? {} : { group }), kind: plural, uid } };
}

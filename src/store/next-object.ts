import { jsonEqual } from "../base/json-equal.ts";
import { qualifiedKind, qualifiedResource, type KindDefinition } from "../api/kind.ts";
import { isDeleting, type ObjectMeta } from "../api/meta.ts";
import { kinds, type AnyObject, type KindName } from "../api/registry.ts";
import { conflict, invalid, StatusError } from "../api/status-error.ts";
import { objectBytesMax, parseObject, parseStatus, type ParsedMetadata } from "../api/validate.ts";
import { deepFreeze, jsonBytesAtMost, jsonCopy } from "./frozen-json.ts";
import type { Preconditions } from "./store.ts";

// What an object becomes by a write: pure, and the same for every store. Each answers `old` itself when nothing changes.

/** What the server alone decides of a new object. */
export interface NewIdentity {
  readonly uid: string;
  /** RFC 3339. */
  readonly now: string;
  readonly version: string;
}

export function definitionOf(kind: KindName): KindDefinition {
  return kinds[kind] as unknown as KindDefinition;
}

/** Fields of metadata that the writer decides, in the order they are kept. Empty ones are left out, as in Kubernetes. */
function writersMetadata(given: ParsedMetadata): Partial<ObjectMeta> {
  const { labels, annotations, finalizers, ownerReferences } = given;
  const kept = Object.entries({ labels, annotations, finalizers: finalizers && [...new Set(finalizers)], ownerReferences });
  return jsonCopy(Object.fromEntries(kept.filter(([, value]) => value !== undefined && Object.keys(value).length > 0)));
}

/** The object, frozen. @throws StatusError RequestEntityTooLarge */
export function sized<T extends AnyObject>(kind: KindName, object: T): T {
  const bytes = jsonBytesAtMost(object) <= objectBytesMax ? 0 : Buffer.byteLength(JSON.stringify(object));
  if (bytes > objectBytesMax) {
    throw new StatusError("RequestEntityTooLarge", `Cannot store ${kind} "${object.metadata.name}": it is ${bytes} bytes of JSON; the most is ${objectBytesMax}`, { kind, name: object.metadata.name });
  }
  return deepFreeze(object);
}

/** A new object, validated, without a status. `name` is used when the input has only a generateName. */
export function createdObject(kind: KindName, input: object, { uid, now, version }: NewIdentity, name: (namespace: string, prefix: string) => string): AnyObject {
  const { metadata, body } = parseObject(kind, { ...input, status: undefined });
  const { scope, nameSchema } = definitionOf(kind);
  const chosen = metadata.name ?? name(metadata.namespace ?? "", metadata.generateName ?? "");
  if (metadata.name === undefined) {
    const checked = nameSchema.safeParse(chosen);
    if (!checked.success) throw invalid(qualifiedKind(definitionOf(kind)), chosen, [{ field: "metadata.generateName", message: `"${metadata.generateName ?? ""}" cannot begin a name: ${checked.error.issues[0]!.message}`, reason: "FieldValueInvalid" }]);
  }
  if (scope === "Namespaced" && !metadata.namespace) {
    throw invalid(qualifiedKind(definitionOf(kind)), chosen, [{ field: "metadata.namespace", message: `is required: a ${kind} lives in a namespace`, reason: "FieldValueRequired" }]);
  }
  const object = {
    ...jsonCopy(body),
    metadata: {
      name: chosen,
      ...(metadata.generateName && { generateName: metadata.generateName }),
      ...(scope === "Namespaced" && { namespace: metadata.namespace }),
      uid,
      resourceVersion: version,
      generation: 1,
      creationTimestamp: now,
      ...writersMetadata(metadata),
      ...(metadata.managedFields?.length && { managedFields: jsonCopy(metadata.managedFields) }),
    },
  } as unknown as AnyObject;
  return sized(kind, withMetadataThird(object));
}

/** apiVersion, kind, metadata, then the rest: the order people read them in. */
function withMetadataThird(object: AnyObject): AnyObject {
  const { apiVersion, kind, metadata, ...rest } = object;
  return { apiVersion, kind, metadata, ...rest } as AnyObject;
}

/** The object after an update of everything but the status. */
export function updatedObject(kind: KindName, input: object, old: AnyObject, version: string): AnyObject {
  const { metadata: given, body } = parseObject(kind, { ...input, status: undefined }, old as never);
  checkPreconditions(kind, old, given);
  checkNewFinalizers(kind, old, given);
  const { status, metadata: oldMetadata } = old as AnyObject & { readonly status?: unknown };
  const rest = Object.fromEntries(Object.entries(jsonCopy(body)).map(([field, value]) => {
    const before = (old as unknown as Record<string, unknown>)[field];
    // Shared when equal: less memory, and later comparisons are one step.
    return [field, jsonEqual(before, value) ? before : value];
  }));
  const specChanged = rest["spec"] !== (old as { readonly spec?: unknown }).spec;
  const { name, generateName, namespace, uid, generation, creationTimestamp, deletionTimestamp } = oldMetadata;
  // A client that leaves managedFields out says nothing about them; an empty list clears them.
  const managedFields = given.managedFields === undefined || jsonEqual(given.managedFields, oldMetadata.managedFields) ? oldMetadata.managedFields : jsonCopy(given.managedFields);
  const metadata: ObjectMeta = {
    name,
    ...(generateName !== undefined && { generateName }),
    ...(namespace !== undefined && { namespace }),
    uid,
    resourceVersion: oldMetadata.resourceVersion,
    generation: specChanged ? generation + 1 : generation,
    creationTimestamp,
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...writersMetadata(given),
    ...(managedFields?.length && { managedFields }),
  };
  const { apiVersion, kind: kindName, ...fields } = rest;
  const object = { apiVersion, kind: kindName, metadata, ...fields, ...(status !== undefined && { status }) } as unknown as AnyObject;
  if (jsonEqual(object, old)) return old;
  return sized(kind, { ...object, metadata: { ...metadata, resourceVersion: version } } as AnyObject);
}

/** The object with another status and nothing else changed. */
export function objectWithStatus(kind: KindName, input: object, old: AnyObject, version: string): AnyObject {
  const { metadata: given, status } = parseStatus(kind, input);
  checkPreconditions(kind, old, given);
  const { status: oldStatus, ...rest } = old as AnyObject & { readonly status?: unknown };
  const next = jsonCopy(status);
  if (jsonEqual(next, oldStatus)) return old;
  return sized(kind, { ...rest, metadata: { ...old.metadata, resourceVersion: version }, ...(next !== undefined && { status: next }) } as AnyObject);
}

/** The object with its deletion asked for, held by these finalizers (at least one). */
export function deletingObject(old: AnyObject, version: string, now: string, finalizers: readonly string[]): AnyObject {
  const { metadata } = old;
  const held = jsonEqual(finalizers, metadata.finalizers) ? metadata.finalizers : finalizers;
  if (isDeleting(old)) return held === metadata.finalizers ? old : deepFreeze({ ...old, metadata: { ...metadata, resourceVersion: version, finalizers: held } } as AnyObject);
  return deepFreeze({ ...old, metadata: { ...metadata, resourceVersion: version, generation: metadata.generation + 1, deletionTimestamp: now, finalizers: held } } as AnyObject);
}

/** The object as it goes at once: what an earlier wish for its dependents held it with is none any more. */
export function withoutFinalizers(old: AnyObject): AnyObject {
  if (old.metadata.finalizers === undefined) return old;
  const { finalizers: _, ...metadata } = old.metadata;
  return { ...old, metadata };
}

/** The last state of an object that goes, under the version of its going. */
export function removedObject(last: AnyObject, version: string): AnyObject {
  return deepFreeze({ ...last, metadata: { ...last.metadata, resourceVersion: version } } as AnyObject);
}

/** @throws Conflict when the object is not the one, or not at the version, that the writer has seen */
export function checkPreconditions(kind: KindName, old: AnyObject, { uid, resourceVersion }: Preconditions): void {
  const resource = qualifiedResource(definitionOf(kind));
  const { name } = old.metadata;
  if (uid !== undefined && uid !== "" && uid !== old.metadata.uid) {
    throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}; it is another object of that name now`);
  }
  if (resourceVersion !== undefined && resourceVersion !== "" && resourceVersion !== old.metadata.resourceVersion) {
    throw conflict(resource, name, "the object has been modified; please apply your changes to the latest version and try again");
  }
}

/** A finalizer that comes after the deletion may never be seen by who cleans up, as in Kubernetes. */
function checkNewFinalizers(kind: KindName, old: AnyObject, given: ParsedMetadata): void {
  if (!isDeleting(old)) return;
  const added = (given.finalizers ?? []).filter((each) => !old.metadata.finalizers?.includes(each));
  if (added.length === 0) return;
  throw invalid(qualifiedKind(definitionOf(kind)), old.metadata.name, [{ field: "metadata.finalizers", message: `no new finalizers can be added to an object that is being deleted; found ${added.join(", ")}`, reason: "FieldValueForbidden" }]);
}

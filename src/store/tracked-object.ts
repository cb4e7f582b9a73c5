import { jsonEqual } from "../base/json-equal.ts";
import { mergeSchemaOf } from "../api/apply/kind-merge-schema.ts";
import { managedPart, type Subresource } from "../api/apply/managed-part.ts";
import { decodeManagers, encodeManagers, isReset, type ManagedFieldsEntry, type Manager } from "../api/apply/managers.ts";
import { trackUpdate } from "../api/apply/track-update.ts";
import { apiVersionOf } from "../api/kind.ts";
import type { AnyObject, KindName } from "../api/registry.ts";
import { definitionOf, sized } from "./next-object.ts";

/** Whose write it is. */
export interface Writer {
  readonly manager: string;
  readonly subresource: Subresource;
  /** RFC 3339. */
  readonly now: string;
}

/**
 * What a write by a named manager makes of an object, with its managedFields brought up to date. What they are brought
 * up to date from, the written object may say itself, as whoever moves fields from one manager to another does.
 * An object that was made without a manager stays without until somebody applies to it.
 * @param after the written object, its managedFields as the writer sent them or, where it sent none, as they were
 * @returns `before` when nothing but a time would differ
 */
export function trackedObject(kind: KindName, before: AnyObject | undefined, after: AnyObject, { manager, subresource, now }: Writer): AnyObject {
  if (after === before) return after;
  const apiVersion = apiVersionOf(definitionOf(kind));
  const managers = managersSent(before, after, apiVersion);
  if (managers.length === 0 && before !== undefined) return withManagedFields(kind, after, []);
  const tracked = trackUpdate({
    schema: mergeSchemaOf(kind),
    before: managedPart(before, subresource),
    after: managedPart(after, subresource),
    managers,
    writer: { name: manager, operation: "Update", apiVersion, subresource: subresource ?? "" },
    now,
  });
  return unlessOnlyTimes(before, withManagedFields(kind, after, encodeManagers(tracked)));
}

/** Source: k8s.io/apimachinery managedfields, decodeLiveOrNew. */
function managersSent(before: AnyObject | undefined, after: AnyObject, apiVersion: string): readonly Manager[] {
  const sent = after.metadata.managedFields ?? [];
  if (isReset(sent)) return [];
  const managers = decodeManagers(sent, apiVersion) ?? [];
  return managers.length > 0 ? managers : (decodeManagers(before?.metadata.managedFields ?? [], apiVersion) ?? []);
}

/** The object with these for its managedFields. @throws StatusError RequestEntityTooLarge */
export function withManagedFields(kind: KindName, object: AnyObject, entries: readonly ManagedFieldsEntry[]): AnyObject {
  const { managedFields, ...metadata } = object.metadata;
  if (jsonEqual(managedFields ?? [], entries)) return object;
  return sized(kind, { ...object, metadata: { ...metadata, ...(entries.length > 0 && { managedFields: entries }) } } as AnyObject);
}

/** `before` when the two differ in nothing but their version and the times of their managers. */
export function unlessOnlyTimes(before: AnyObject | undefined, after: AnyObject): AnyObject {
  return before !== undefined && jsonEqual(timeless(before), timeless(after)) ? before : after;
}

function timeless(object: AnyObject): object {
  const { resourceVersion: _version, managedFields = [], ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, managedFields: managedFields.map((entry) => ({ ...entry, time: null })) } };
}

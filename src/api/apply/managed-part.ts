import { isFields } from "../../base/fields.ts";
import { leafNode, type FieldSet } from "./field-set.ts";
import { fieldElement } from "./path-element.ts";

export type Subresource = "status" | undefined;

/** What the server decides of an object, or what tells which object it is: owned by nobody. Source: k8s.io/apimachinery managedfields, stripmeta.go. */
const unmanagedMetadata: ReadonlySet<string> = new Set(["name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"]);

/** Left out of a stored object when empty: to name an empty one is to name none, or two that do would never agree. */
const absentWhenEmpty: ReadonlySet<string> = new Set(["labels", "annotations", "finalizers", "ownerReferences"]);

/** Every object has metadata: only what is in it is owned. */
export const unownedStructure: FieldSet = new Map([[fieldElement("metadata"), leafNode]]);

/**
 * The part of an object that a write to it (or to its status) may change and that managers can own.
 * @param object undefined: there is none yet
 */
export function managedPart(object: unknown, subresource: Subresource): Readonly<Record<string, unknown>> {
  if (!isFields(object)) return subresource === "status" ? {} : { metadata: {} };
  const { apiVersion: _version, kind: _kind, metadata, status, ...rest } = object;
  if (subresource === "status") return status === undefined || status === null ? {} : { status };
  const managed = isFields(metadata) ? Object.fromEntries(Object.entries(metadata).filter(([field, value]) => !unmanagedMetadata.has(field) && !(absentWhenEmpty.has(field) && isEmpty(value)))) : {};
  return { ...rest, metadata: managed };
}

/** The managed part as it is stored: without what is left out when empty. */
export function asStored(part: unknown): unknown {
  if (!isFields(part) || !isFields(part["metadata"])) return part;
  return { ...part, metadata: Object.fromEntries(Object.entries(part["metadata"]).filter(([field, value]) => !(absentWhenEmpty.has(field) && isEmpty(value)))) };
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isFields(value) && Object.keys(value).length === 0;
}

/** The value without nulls in its maps: in a configuration they ask for nothing. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null && each !== undefined).map(([key, each]) => [key, withoutNulls(each)]));
}

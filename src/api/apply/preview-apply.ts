import type { Fields } from "../../base/fields.ts";
import { jsonEqual } from "../../base/json-equal.ts";
import { apiVersionOf, type KindDefinition } from "../kind.ts";
import type { ObjectMeta } from "../meta.ts";
import { kinds, type AnyObject, type KindName } from "../registry.ts";
import { parseObject } from "../validate.ts";
import { forcedApplication } from "./apply-configuration.ts";
import { compareValues } from "./compare-values.ts";
import { difference, noFields, pathsOf, union, type FieldSet } from "./field-set.ts";
import { mergeSchemaOf } from "./kind-merge-schema.ts";
import { managedPart, withoutNulls } from "./managed-part.ts";
import { decodeManagers, encodeManagers, type ManagedFieldsEntry } from "./managers.ts";
import { fieldsOf } from "./owned-fields.ts";
import { pathText } from "./path-element.ts";
import { pruneReleased } from "./prune-released.ts";

/** What a server-side apply would make of a stored object. */
export interface AppliedPreview {
  /** With defaults; resourceVersion and generation are those of the stored one. */
  readonly object: AnyObject;
  /** Fields whose values would change, as `.spec.ports[port=80]`. */
  readonly fields: readonly string[];
  /** Whether at least who owns which field would change. */
  readonly owners: boolean;
  /** Fields among them that other managers own: without `force` the apply would fail. */
  readonly conflicts: FieldSet;
}

export interface PreviewOptions {
  readonly manager: string;
  /** As if the object had these instead of its own: what has been taken over first. */
  readonly managedFields?: readonly object[] | undefined;
}

/**
 * What applying the configuration with `force` would make of the object. Pure, and the same code that the store applies with.
 * @throws StatusError Invalid: the object that would come out is none
 */
export function previewApply(live: AnyObject, configuration: Fields, { manager, managedFields }: PreviewOptions): AppliedPreview {
  const { kind, metadata } = live;
  const apiVersion = apiVersionOf(kinds[kind] as KindDefinition<never>);
  const schema = mergeSchemaOf(kind);
  const known = metadata.managedFields ?? [];
  const before = managedPart(live, undefined);
  const { merged, managers, conflicts } = forcedApplication({
    schema,
    live: before,
    configuration: withoutNulls(managedPart(configuration, undefined)),
    managers: decodeManagers(managedFields ?? known, apiVersion) ?? [],
    applier: { name: manager, operation: "Apply", apiVersion, subresource: "" },
    takeable: noFields,
    now: metadata.creationTimestamp,
  });
  const object = withPart(live, merged as Fields & { readonly metadata: Fields }, apiVersion);
  const { added, modified, removed } = compareValues(schema, before, managedPart(object, undefined));
  return {
    object,
    fields: [...pathsOf([added, modified, removed].reduce(union))].map(pathText),
    owners: !jsonEqual(ownersOf(encodeManagers(managers)), ownersOf(known)),
    conflicts: conflicts.map(({ fields }) => fields).reduce(union, noFields),
  };
}

/** The object with another managed part. @throws StatusError Invalid */
export function withPart(live: AnyObject, part: Fields & { readonly metadata: Fields }, apiVersion: string): AnyObject {
  const { labels: _labels, annotations: _annotations, finalizers: _finalizers, ownerReferences: _owners, ...identity } = live.metadata;
  const { body } = parseObject(live.kind, { ...part, apiVersion, kind: live.kind, metadata: { ...identity, ...part.metadata } }, live as never);
  const { status } = live as { readonly status?: unknown };
  return { ...body, ...(status === undefined ? {} : { status }), metadata: { ...identity, ...part.metadata } as ObjectMeta } as unknown as AnyObject;
}

/** The configuration without these fields: applied, it leaves them to whoever owns them. */
export function withoutFieldsOf(kind: KindName, configuration: Fields, fields: FieldSet): Fields {
  const { apiVersion, kind: written, metadata, ...rest } = configuration;
  const schema = mergeSchemaOf(kind);
  const whole = { ...rest, metadata };
  const part = pruneReleased(schema, whole, { released: fields, kept: difference(fieldsOf(schema, whole), fields) }) as Fields;
  return { apiVersion, kind: written, ...part, metadata: part["metadata"] ?? {} };
}

/** Who owns what. When they came to, and the order that follows from it, is nobody's wish. */
function ownersOf(entries: readonly object[]): Fields {
  return Object.fromEntries((entries as readonly ManagedFieldsEntry[]).map(({ manager, operation, apiVersion, subresource = "", fieldsV1 }) => [JSON.stringify([manager, operation, apiVersion, subresource]), fieldsV1]));
}

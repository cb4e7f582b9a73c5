import { isFields } from "../../base/fields.ts";
import { lastApplied, lastAppliedAnnotation, lastAppliedNote } from "../three-way-merge.ts";
import { compareValues } from "./compare-values.ts";
import { difference, noFields, union, type FieldSet } from "./field-set.ts";
import { managedPart, withoutNulls } from "./managed-part.ts";
import type { MergeSchema } from "./merge-schema.ts";
import { fieldsOf } from "./owned-fields.ts";

// Client-side apply keeps its notes in an annotation. kubectl moves an object from there to server-side apply by just
// applying it, under this name: whoever wants none of it takes another.
export const kubectlManager = "kubectl";

type Annotated = { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } };

/**
 * Fields that client-side apply set and that are still as it left them: kubectl may go on with them by server-side apply.
 * Source: k8s.io/apimachinery managedfields, lastappliedmanager.go.
 */
export function fieldsOfNote(schema: MergeSchema, live: Annotated, apiVersion: string): FieldSet {
  const noted = lastApplied(live);
  if (noted === undefined || noted["apiVersion"] !== apiVersion) return noFields;
  const part = withoutNulls(managedPart(noted, undefined));
  const { added, modified, removed } = compareValues(schema, part, managedPart(live, undefined));
  return difference(fieldsOf(schema, part), [added, modified, removed].reduce(union));
}

/**
 * The merged part with the note brought up to date where there is one, so that who goes on with client-side apply takes out
 * no field by an old note. Source: k8s.io/apimachinery managedfields, lastappliedupdater.go.
 */
export function withFreshNote(merged: unknown, configuration: Readonly<Record<string, unknown>>): unknown {
  if (!isFields(merged) || !isFields(merged["metadata"])) return merged;
  const { annotations } = merged["metadata"];
  if (!isFields(annotations) || !annotations[lastAppliedAnnotation]) return merged;
  return { ...merged, metadata: { ...merged["metadata"], annotations: { ...annotations, [lastAppliedAnnotation]: lastAppliedNote(withoutNote(configuration)) } } };
}

function withoutNote(configuration: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { metadata } = configuration;
  if (!isFields(metadata) || !isFields(metadata["annotations"])) return configuration;
  const { [lastAppliedAnnotation]: _note, ...annotations } = metadata["annotations"];
  return { ...configuration, metadata: { ...metadata, annotations } };
}

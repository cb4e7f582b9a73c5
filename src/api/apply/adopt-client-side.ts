import { lastAppliedAnnotation } from "../three-way-merge.ts";
import { difference, fieldSet, hasPath, leafNode, noFields, union, type FieldNode, type FieldSet } from "./field-set.ts";
import { decodeManagers, encodeManagers, type ManagedFieldsEntry, type Manager } from "./managers.ts";
import { fieldElement } from "./path-element.ts";

const notePath = ["metadata", "annotations", lastAppliedAnnotation].map(fieldElement);
const note: FieldSet = notePath.reduceRight<FieldNode>((below, element) => ({ member: false, below: fieldSet([[element, below]]) }), leafNode).below;

/**
 * The managedFields after an applier has taken over what client-side apply owned, so that what its manifest names no more
 * can go: until then those fields have an owner who never lets go. Client-side apply is whoever wrote its note. The note
 * itself becomes nobody's, and stays.
 * Source: k8s.io/client-go/util/csaupgrade.
 * @returns undefined when there is nothing to take over
 */
export function adoptClientSide(entries: readonly object[], manager: string, apiVersion: string): readonly ManagedFieldsEntry[] | undefined {
  const managers = decodeManagers(entries, apiVersion) ?? [];
  const clientSide = managers.find(({ operation, subresource, fields }) => operation === "Update" && subresource === "" && hasPath(fields, notePath));
  if (clientSide === undefined) return undefined;
  const own = managers.find(({ name, operation, subresource }) => name === manager && operation === "Apply" && subresource === "");
  const adopted: Manager = { name: manager, operation: "Apply", apiVersion, subresource: "", time: own?.time ?? clientSide.time, fields: union(own?.fields ?? noFields, difference(clientSide.fields, note)) };
  return encodeManagers([...managers.filter((each) => each !== clientSide && each !== own), adopted]);
}

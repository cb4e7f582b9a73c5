import { z } from "zod";
import { mergedAsSet, mergedByKeys } from "./list-type.ts";

/** An RFC 1123 DNS label: what Kubernetes asks of names that end up in host names. */
export const dnsLabel = z
  .string()
  .max(63, "must be no more than 63 characters")
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "must consist of lower case letters, digits or '-', and start and end with a letter or digit");

/** An RFC 1123 DNS subdomain, at most 253 characters: names of Nodes and Events. */
export const dnsSubdomain = z
  .string()
  .max(253, "must be no more than 253 characters")
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    "must consist of lower case letters, digits, '-' or '.', and start and end with a letter or digit",
  );

const qualifiedName = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelKey = z.string().max(317).regex(qualifiedName, "must be a label key such as 'app' or 'example.com/app'");
const labelValue = z
  .string()
  .max(63, "must be no more than 63 characters")
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/, "must be empty, or letters, digits, '-', '_' and '.', with a letter or digit at both ends");

export const labels = z.record(labelKey, labelValue);

const ownerReference = z.strictObject({
  apiVersion: z.string().describe("API version of the owner."),
  kind: z.string().describe("Kind of the owner."),
  name: z.string().describe("Name of the owner, in the same namespace or cluster-scoped."),
  uid: z.string().describe("uid of the owner. An owner of the same name with another uid is not the owner."),
  controller: z.boolean().optional().describe("Whether this owner manages the object. At most one does."),
  blockOwnerDeletion: z.boolean().optional().describe("Whether foreground deletion of the owner waits for this object."),
});
export type OwnerReference = z.infer<typeof ownerReference>;

const rfc3339 = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z");

/** metadata as a client may send it. What the server owns (uid, resourceVersion …) is accepted, and overwritten or checked. */
export const objectMeta = z.strictObject({
  name: z.string().optional().describe("Name of the object, unique among its kind in its namespace."),
  generateName: z.string().max(253).optional().describe("Prefix of a name the server makes, when name is empty; of a longer one the first 58 characters are used."),
  namespace: z.string().optional().describe("Namespace the object lives in; empty for cluster-scoped kinds."),
  labels: labels.optional().describe("Short key/value pairs to select objects by."),
  annotations: z.record(z.string().max(317).regex(qualifiedName, "must be an annotation key such as 'example.com/note'"), z.string()).optional().describe("Key/value pairs for tools; never selected by."),
  finalizers: mergedAsSet(z.array(z.string().regex(qualifiedName, "must be a qualified name such as 'vendetta.dev/cleanup'"))).optional().describe("Names that must all be taken away before a deleted object goes."),
  ownerReferences: mergedByKeys(z.array(ownerReference), "uid").optional().describe("Objects this one belongs to; it is deleted when all of them are gone."),
  uid: z.string().optional().describe("Set by the server: unique over all time."),
  resourceVersion: z.string().optional().describe("Set by the server: changes with each write. Sent with an update, it must be the current one."),
  generation: z.number().int().optional().describe("Set by the server: goes up when the spec changes."),
  creationTimestamp: rfc3339.nullable().optional().describe("Set by the server: when the object was stored, RFC 3339."),
  deletionTimestamp: rfc3339.nullable().optional().describe("Set by the server: when deletion was asked for, RFC 3339. The object goes with its last finalizer."),
  deletionGracePeriodSeconds: z.number().int().nullable().optional().describe("Set by the server: seconds the object had to end by itself when deletion was asked for."),
  managedFields: z.array(z.looseObject({})).optional().describe("Set by the server: who manages which field."),
  selfLink: z.string().optional().describe("Unused; accepted from old clients."),
});

/** metadata of a stored object. */
export interface ObjectMeta {
  readonly name: string;
  /** What the name was made from, if the server made it. */
  readonly generateName?: string;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly uid: string;
  /** A decimal counter of the whole store. Compare with `compareVersions` only. */
  readonly resourceVersion: string;
  readonly generation: number;
  /** RFC 3339. */
  readonly creationTimestamp: string;
  /** RFC 3339; present once deletion was asked for. */
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly object[];
}

/** Any stored object, whatever its kind. Stored objects are frozen: build a new one to change something. */
export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** What a client hands in: metadata may lack everything but a name (or generateName). */
export type ObjectInput<T extends StoredObject> = Omit<T, "metadata"> & { readonly metadata: Partial<ObjectMeta> };

/** Whether deletion was asked for. */
export function isDeleting(object: StoredObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

import { list, map, messageType, one, optional, type MessageType } from "./message-type.ts";

// Source: generated.proto of k8s.io/apimachinery and k8s.io/api 1.32. Numbers are for ever; new fields get new ones.

const ownerReference = messageType(one(1, "kind"), one(3, "name"), one(4, "uid"), one(5, "apiVersion"), optional(6, "controller", "bool"), optional(7, "blockOwnerDeletion", "bool"));

const managedFieldsEntry = messageType(one(1, "manager"), one(2, "operation"), one(3, "apiVersion"), one(4, "time", "time"), one(6, "fieldsType"), one(7, "fieldsV1", "fieldsV1"), one(8, "subresource"));

const objectMeta = messageType(
  one(1, "name"), one(2, "generateName"), one(3, "namespace"), one(4, "selfLink"), one(5, "uid"), one(6, "resourceVersion"), one(7, "generation", "int64"),
  one(8, "creationTimestamp", "time"), one(9, "deletionTimestamp", "time"), optional(10, "deletionGracePeriodSeconds", "int64"),
  map(11, "labels"), map(12, "annotations"), list(13, "ownerReferences", ownerReference), list(14, "finalizers"), list(17, "managedFields", managedFieldsEntry),
);
const metadata = one(1, "metadata", objectMeta);

const deleteOptions = messageType(
  optional(1, "gracePeriodSeconds", "int64"), one(2, "preconditions", messageType(optional(1, "uid"), optional(2, "resourceVersion"))),
  optional(3, "orphanDependents", "bool"), optional(4, "propagationPolicy"), list(5, "dryRun"),
);

const namespaceCondition = messageType(one(1, "type"), one(2, "status"), one(4, "lastTransitionTime", "time"), one(5, "reason"), one(6, "message"));
const namespace = messageType(metadata, one(2, "spec", messageType(list(1, "finalizers"))), one(3, "status", messageType(one(1, "phase"), list(2, "conditions", namespaceCondition))));

const objectReference = messageType(one(1, "kind"), one(2, "namespace"), one(3, "name"), one(4, "uid"), one(5, "apiVersion"), one(6, "resourceVersion"), one(7, "fieldPath"));
const event = messageType(
  metadata, one(2, "involvedObject", objectReference), one(3, "reason"), one(4, "message"), one(5, "source", messageType(one(1, "component"), one(2, "host"))),
  one(6, "firstTimestamp", "time"), one(7, "lastTimestamp", "time"), one(8, "count", "int32"), one(9, "type"), one(10, "eventTime", "microTime"),
  one(11, "series", messageType(one(1, "count", "int32"), one(2, "lastObservedTime", "microTime"))), one(12, "action"), one(13, "related", objectReference), one(14, "reportingComponent"), one(15, "reportingInstance"),
);

const lease = messageType(metadata, one(2, "spec", messageType(
  optional(1, "holderIdentity"), optional(2, "leaseDurationSeconds", "int32"), one(3, "acquireTime", "microTime"), one(4, "renewTime", "microTime"), optional(5, "leaseTransitions", "int32"), optional(6, "strategy"), optional(7, "preferredHolder"),
)));

const resourceAttributes = messageType(one(1, "namespace"), one(2, "verb"), one(3, "group"), one(4, "version"), one(5, "resource"), one(6, "subresource"), one(7, "name"));
const nonResourceAttributes = messageType(one(1, "path"), one(2, "verb"));
const accessReview = messageType(
  metadata,
  one(2, "spec", messageType(one(1, "resourceAttributes", resourceAttributes), one(2, "nonResourceAttributes", nonResourceAttributes))),
  one(3, "status", messageType(optional(1, "allowed", "bool"), one(2, "reason"), one(3, "evaluationError"), one(4, "denied", "bool"))),
);
const resourceRule = messageType(list(1, "verbs"), list(2, "apiGroups"), list(3, "resources"), list(4, "resourceNames"));
const rulesReview = messageType(
  metadata,
  one(2, "spec", messageType(one(1, "namespace"))),
  one(3, "status", messageType(list(1, "resourceRules", resourceRule), list(2, "nonResourceRules", messageType(list(1, "verbs"), list(2, "nonResourceURLs"))), optional(3, "incomplete", "bool"), one(4, "evaluationError"))),
);
const subjectReview = messageType(metadata, one(2, "status", messageType(one(1, "userInfo", messageType(one(1, "username"), one(2, "uid"), list(3, "groups"))))));

const types: ReadonlyMap<string, MessageType> = new Map([
  ["v1 Namespace", namespace],
  ["v1 Event", event],
  ["coordination.k8s.io/v1 Lease", lease],
  ["authorization.k8s.io/v1 SelfSubjectAccessReview", accessReview],
  ["authorization.k8s.io/v1 SelfSubjectRulesReview", rulesReview],
  ["authentication.k8s.io/v1 SelfSubjectReview", subjectReview],
]);

/** The message of a kind; undefined when it never travels as one here. */
export function messageTypeOf(apiVersion: string, kind: string): MessageType | undefined {
  // Clients send DeleteOptions under the version of whatever they delete.
  return kind === "DeleteOptions" ? deleteOptions : types.get(`${apiVersion} ${kind}`);
}

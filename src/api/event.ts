import { z } from "zod";
import { dnsSubdomain, type ObjectMeta } from "./meta.ts";
import type { KindDefinition } from "./kind.ts";

const objectReference = z.strictObject({
  apiVersion: z.string().optional().describe("API version of the object."),
  kind: z.string().optional().describe("Kind of the object."),
  namespace: z.string().optional().describe("Namespace of the object; empty when it is cluster-scoped."),
  name: z.string().optional().describe("Name of the object."),
  uid: z.string().optional().describe("uid of the object: another one of the same name is not meant."),
  resourceVersion: z.string().optional().describe("Version of the object when this happened."),
  fieldPath: z.string().optional().describe("Part of the object that is meant, such as spec.containers{web}."),
});

const root = z.strictObject({
  involvedObject: objectReference.describe("The object this happened to."),
  reason: z.string().max(128).optional().describe("What happened, as one CamelCase word."),
  message: z.string().max(1024).optional().describe("What happened, as a sentence."),
  type: z.enum(["Normal", "Warning"]).optional().describe("Normal: it is as it should be. Warning: somebody may have to do something."),
  count: z.number().int().optional().describe("Times it happened between firstTimestamp and lastTimestamp."),
  firstTimestamp: z.string().nullable().optional().describe("When it happened first, RFC 3339."),
  lastTimestamp: z.string().nullable().optional().describe("When it happened last, RFC 3339."),
  eventTime: z.string().nullable().optional().describe("When it happened, RFC 3339 with microseconds; set by newer clients instead of firstTimestamp."),
  source: z.strictObject({ component: z.string().optional().describe("Program that reports it."), host: z.string().optional().describe("Machine that program runs on.") }).optional().describe("Who reports it."),
  reportingComponent: z.string().optional().describe("Controller that reports it, such as vendetta.dev/workspace; set by newer clients instead of source."),
  reportingInstance: z.string().optional().describe("Which instance of that controller, when there are several."),
  action: z.string().optional().describe("What was done or was to be done, as one CamelCase word."),
  related: objectReference.optional().describe("A second object that has to do with it."),
  series: z
    .strictObject({
      count: z.number().int().optional().describe("Times it happened so far."),
      lastObservedTime: z.string().nullable().optional().describe("When it happened last, RFC 3339 with microseconds."),
    })
    .optional()
    .describe("Set by newer clients when it happens again and again."),
});

/** core/v1 Event. */
export interface Event extends Readonly<z.infer<typeof root>> {
  readonly apiVersion: "v1";
  readonly kind: "Event";
  readonly metadata: ObjectMeta;
}

export const eventKind: KindDefinition<Event> = {
  group: "",
  version: "v1",
  kind: "Event",
  plural: "events",
  singular: "event",
  shortNames: ["ev"],
  categories: [],
  scope: "Namespaced",
  description: "Something that happened to an object, kept for an hour.",
  nameSchema: dnsSubdomain,
  rootSchema: root,
  printerColumns: [
    { name: "Last Seen", type: "date", jsonPath: ".lastTimestamp" },
    { name: "Type", type: "string", jsonPath: ".type" },
    { name: "Reason", type: "string", jsonPath: ".reason" },
    { name: "Object", type: "string", jsonPath: ".involvedObject.name" },
    { name: "Count", type: "integer", jsonPath: ".count", priority: 1 },
    { name: "Message", type: "string", jsonPath: ".message" },
  ],
  selectableFields: [
    "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
    "involvedObject.apiVersion", "involvedObject.fieldPath", "reason", "type", "source", "reportingComponent",
  ],
};

import { z } from "zod";
import { dnsSubdomain, type ObjectMeta } from "./meta.ts";
import type { KindDefinition } from "./kind.ts";
import { ownedWhole } from "./list-type.ts";

const objectReference = z.strictObject({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  namespace: z.string().optional(),
  name: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  fieldPath: z.string().optional(),
});

const root = z.strictObject({
  involvedObject: ownedWhole(objectReference).describe("The object this happened to."),
  reason: z.string().max(128).optional().describe("What happened, as one CamelCase word."),
  message: z.string().max(1024).optional().describe("What happened, as a sentence."),
  type: z.enum(["Normal", "Warning"]).optional().describe("Warning: somebody may have to do something."),
  count: z.number().int().optional().describe("How often it happened between firstTimestamp and lastTimestamp."),
  firstTimestamp: z.string().nullable().optional().describe("RFC 3339."),
  lastTimestamp: z.string().nullable().optional().describe("RFC 3339."),
  eventTime: z.string().nullable().optional().describe("RFC 3339 with microseconds; of newer clients."),
  source: z.strictObject({ component: z.string().optional(), host: z.string().optional() }).optional().describe("Who reports it."),
  reportingComponent: z.string().optional(),
  reportingInstance: z.string().optional(),
  action: z.string().optional(),
  related: ownedWhole(objectReference).optional(),
  series: z.strictObject({ count: z.number().int().optional(), lastObservedTime: z.string().nullable().optional() }).optional(),
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

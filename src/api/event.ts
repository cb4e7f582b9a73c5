import { z } from "zod";
import { dnsSubdomain, type ObjectMeta } from "./meta.ts";
import { eventCells } from "./event-cells.ts";
import type { KindDefinition } from "./kind.ts";

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
  involvedObject: objectReference.describe("The object this happened to."),
  reason: z.string().optional().describe("What happened, as one CamelCase word."),
  message: z.string().optional().describe("What happened, as a sentence."),
  type: z.enum(["Normal", "Warning"]).optional().describe("Warning: somebody may have to do something."),
  count: z.number().int().optional().describe("How often it happened between firstTimestamp and lastTimestamp."),
  firstTimestamp: z.string().nullable().optional().describe("RFC 3339."),
  lastTimestamp: z.string().nullable().optional().describe("RFC 3339."),
  eventTime: z.string().nullable().optional().describe("RFC 3339 with microseconds; of newer clients."),
  source: z.strictObject({ component: z.string().optional(), host: z.string().optional() }).optional().describe("Who reports it."),
  reportingComponent: z.string().optional(),
  reportingInstance: z.string().optional(),
  action: z.string().optional(),
  related: objectReference.optional(),
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
  // As Kubernetes has them: the name comes last, and only where there is room.
  nameColumn: "own",
  printerColumns: [
    { name: "Last Seen", type: "string", jsonPath: ".lastTimestamp", description: "How long ago it last happened." },
    { name: "Type", type: "string", jsonPath: ".type", description: "Normal or Warning." },
    { name: "Reason", type: "string", jsonPath: ".reason", description: "What happened, as one word." },
    { name: "Object", type: "string", jsonPath: ".involvedObject.name", description: "What it happened to, as kind/name." },
    { name: "Subobject", type: "string", jsonPath: ".involvedObject.fieldPath", description: "The part of the object it happened to.", priority: 1 },
    { name: "Source", type: "string", jsonPath: ".source.component", description: "Who reports it.", priority: 1 },
    { name: "Message", type: "string", jsonPath: ".message", description: "What happened, as a sentence." },
    { name: "First Seen", type: "string", jsonPath: ".firstTimestamp", description: "How long ago it first happened.", priority: 1 },
    { name: "Count", type: "integer", jsonPath: ".count", description: "How often it happened.", priority: 1 },
    { name: "Name", type: "string", jsonPath: ".metadata.name", description: "Name of the Event itself.", priority: 1 },
  ],
  cellsOf: eventCells,
  selectableFields: [
    "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
    "involvedObject.apiVersion", "involvedObject.fieldPath", "reason", "type", "reportingComponent",
  ],
};

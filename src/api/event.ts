import { z } from "zod";
import { dnsSubdomain, type ObjectMeta } from "./meta.ts";
import { eventCells } from "./event-cells.ts";
import type { KindDefinition } from "./kind.ts";
import { ownedWhole } from "./list-type.ts";

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
  involvedObject: ownedWhole(objectReference).describe("The object this happened to."),
  reason: z.string().optional().describe("What happened, as one CamelCase word."),
  message: z.string().optional().describe("What happened, as a sentence."),
  type: z.enum(["Normal", "Warning"]).optional().describe("Normal: it is as it should be. Warning: somebody may have to do something."),
  count: z.number().int().optional().describe("Times it happened between firstTimestamp and lastTimestamp."),
  firstTimestamp: z.string().nullable().optional().describe("When it happened first, RFC 3339."),
  lastTimestamp: z.string().nullable().optional().describe("When it happened last, RFC 3339."),
  eventTime: z.string().nullable().optional().describe("When it happened, RFC 3339 with microseconds; set by newer clients instead of firstTimestamp."),
  source: z.strictObject({ component: z.string().optional().describe("Program that reports it."), host: z.string().optional().describe("Machine that program runs on.") }).optional().describe("Who reports it."),
  reportingComponent: z.string().optional().describe("Controller that reports it, such as vendetta.dev/workspace; set by newer clients instead of source."),
  reportingInstance: z.string().optional().describe("Which instance of that controller, when there are several."),
  action: z.string().optional().describe("What was done or was to be done, as one CamelCase word."),
  related: ownedWhole(objectReference).optional().describe("A second object that has to do with it."),
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

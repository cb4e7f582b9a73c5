import { z } from "zod";
import { dnsSubdomain, type ObjectMeta } from "./meta.ts";
import type { KindDefinition } from "./kind.ts";

const microTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/, "must be an RFC 3339 time such as 2026-01-31T12:00:00.000000Z");

const spec = z.strictObject({
  holderIdentity: z.string().nullable().optional().describe("Who holds the lease; empty when nobody does."),
  leaseDurationSeconds: z.number().int().positive("must be greater than 0").nullable().optional().describe("How long others wait after renewTime before they take the lease, in seconds."),
  acquireTime: microTime.nullable().optional().describe("When the holder got it, RFC 3339 with microseconds."),
  renewTime: microTime.nullable().optional().describe("When the holder last renewed it, RFC 3339 with microseconds."),
  leaseTransitions: z.number().int().nonnegative("must be greater than or equal to 0").nullable().optional().describe("How often the holder has changed."),
  strategy: z.string().nullable().optional().describe("How a coordinator chooses the holder; kept for clients, without effect here."),
  preferredHolder: z.string().nullable().optional().describe("Who the holder should hand the lease to; kept for clients, without effect here."),
});

/** coordination.k8s.io/v1 Lease: what clients elect a leader with. vendetta itself keeps none. */
export interface Lease {
  readonly apiVersion: "coordination.k8s.io/v1";
  readonly kind: "Lease";
  readonly metadata: ObjectMeta;
  readonly spec: Readonly<z.infer<typeof spec>>;
}

export const leaseKind: KindDefinition<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  singular: "lease",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  description: "Who of several holds a task, and since when; written by the holders themselves.",
  nameSchema: dnsSubdomain,
  specSchema: spec,
  printerColumns: [
    { name: "Holder", type: "string", jsonPath: ".spec.holderIdentity" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  selectableFields: [],
};

import { z } from "zod";
import { conditions } from "./conditions.ts";
import { dnsLabel, type ObjectMeta } from "./meta.ts";
import type { KindDefinition } from "./kind.ts";

const spec = z.strictObject({
  finalizers: z.array(z.string()).optional().describe("Names that must all be taken away before the namespace goes. Set by Kubernetes clients; vendetta itself uses metadata.finalizers."),
});
const status = z.strictObject({
  phase: z.enum(["Active", "Terminating"]).optional().describe("Active, or Terminating once deletion was asked for: nothing new can be made in it."),
  conditions: conditions.optional().describe("While it is Terminating: what is left in it, and why."),
});

/** core/v1 Namespace. */
export interface Namespace {
  readonly apiVersion: "v1";
  readonly kind: "Namespace";
  readonly metadata: ObjectMeta;
  readonly spec: Readonly<z.infer<typeof spec>>;
  readonly status?: Readonly<z.infer<typeof status>>;
}

export const namespaceKind: KindDefinition<Namespace> = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  singular: "namespace",
  shortNames: ["ns"],
  categories: [],
  scope: "Cluster",
  description: "A room for names: Workspaces and Services live in one, and go when it is deleted.",
  nameSchema: dnsLabel,
  specSchema: spec,
  statusSchema: status,
  printerColumns: [
    { name: "Status", type: "string", jsonPath: ".status.phase" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  selectableFields: ["status.phase"],
};

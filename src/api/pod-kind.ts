import type { KindDefinition } from "./kind.ts";
import { dnsLabel } from "./meta.ts";
import { podCells } from "./pod-cells.ts";
import { podSpec, podStatus, type Pod } from "./pod.ts";

export const podKind: KindDefinition<Pod> = {
  group: "",
  version: "v1",
  kind: "Pod",
  plural: "pods",
  singular: "pod",
  shortNames: ["po"],
  categories: ["all"],
  scope: "Namespaced",
  description: "A Workspace as Kubernetes' clients know such things: its Services are containers, one more is its shell. To be read, and deleted.",
  nameSchema: dnsLabel,
  specSchema: podSpec,
  statusSchema: podStatus,
  printerColumns: [
    { name: "Ready", type: "string", jsonPath: ".status.containerStatuses[*].ready", description: "Containers that are ready, of all." },
    { name: "Status", type: "string", jsonPath: ".status.phase", description: "What the containers do, in one word." },
    { name: "Restarts", type: "string", jsonPath: ".status.containerStatuses[*].restartCount", description: "Restarts of all containers, and how long ago the last was." },
    { name: "Age", type: "string", jsonPath: ".metadata.creationTimestamp", description: "Time since the Workspace was stored." },
    { name: "IP", type: "string", jsonPath: ".status.podIP", description: "Address of the instance, as seen from its node.", priority: 1 },
    { name: "Node", type: "string", jsonPath: ".spec.nodeName", description: "The Node the Workspace was placed on.", priority: 1 },
    { name: "Nominated Node", type: "string", jsonPath: ".status.nominatedNodeName", description: "Never set.", priority: 1 },
    { name: "Readiness Gates", type: "string", jsonPath: ".spec.readinessGates", description: "Never set.", priority: 1 },
  ],
  cellsOf: podCells,
  selectableFields: ["spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"],
  view: {
    verbs: ["delete", "get", "list", "watch"],
    subresources: [
      { name: "attach", kind: "PodAttachOptions", verbs: ["create", "get"] },
      { name: "exec", kind: "PodExecOptions", verbs: ["create", "get"] },
      { name: "log", kind: "Pod", verbs: ["get"] },
      { name: "portforward", kind: "PodPortForwardOptions", verbs: ["create", "get"] },
    ],
    insteadOfWriting: "a Pod shows a Workspace and its Services; write those",
  },
};

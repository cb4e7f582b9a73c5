import { timestamp } from "../../src/base/clock.ts";
import { setConditions } from "../../src/api/conditions.ts";
import type { Node, NodeStatus } from "../../src/api/node.ts";
import type { ProviderName, ProviderProbe } from "../../src/providers/provider.ts";
import type { FoundOrphan } from "../orphan/found-orphans.ts";
import type { MachineFacts } from "./facts.ts";

/** How often a Node that is well says so in the store. Between, it is asked more often than it is written. */
export const heartbeatWriteMs = 60_000;

/** Orphans a status tells of. */
const orphansMax = 100;

export interface NodeObservation {
  /** What the machine told of itself, or why it could not be asked. */
  readonly machine: { readonly kind: "answered"; readonly facts: MachineFacts } | { readonly kind: "silent"; readonly reason: string; readonly message: string };
  readonly providers: readonly { readonly name: ProviderName; readonly probe: ProviderProbe }[];
  /** Workspaces placed on it. */
  readonly workspaces: number;
  readonly orphans: readonly FoundOrphan[];
  readonly now: number;
}

/** The status a Node should have. Pure. */
export function planNode(node: Node, seen: NodeObservation): NodeStatus {
  const now = timestamp(seen.now);
  const old = node.status ?? {};
  const observedGeneration = node.metadata.generation;
  if (seen.machine.kind === "silent") {
    const { reason, message } = seen.machine;
    return { ...old, observedGeneration, workspaces: seen.workspaces, conditions: [...setConditions(old.conditions, now, { type: "Ready", status: "Unknown", reason, message, observedGeneration })] };
  }
  const { facts } = seen.machine;
  const usable = seen.providers.filter((each) => each.probe.usable).map((each) => each.name);
  const ready = usable.length > 0
    ? ({ type: "Ready", status: "True", reason: "Probed", message: `usable: ${usable.join(", ")}`, observedGeneration } as const)
    : ({ type: "Ready", status: "False", reason: "NoProvider", message: seen.providers.map(({ name, probe }) => `${name}: ${probe.usable ? "" : probe.message}`).join("; "), observedGeneration } as const);
  const status: NodeStatus = {
    observedGeneration,
    conditions: [...setConditions(old.conditions, now, ready)],
    providers: seen.providers.map(({ name, probe }) =>
      probe.usable ? { name, usable: true, version: probe.version, ...(probe.message === undefined ? {} : { message: probe.message }) } : { name, usable: false, reason: probe.reason, message: probe.message },
    ),
    capacity: { ...facts.capacity, disk: old.capacity?.disk !== undefined && nearlySame(old.capacity.disk, facts.capacity.disk) ? old.capacity.disk : facts.capacity.disk },
    nodeInfo: { ...facts.info },
    workspaces: seen.workspaces,
    ...(seen.orphans.length === 0 ? {} : { orphans: seen.orphans.slice(0, orphansMax).map(({ provider, instanceId, namespace, name, firstSeen }) => ({ provider, instanceId, workspace: `${namespace}/${name}`, firstSeenTime: timestamp(firstSeen) })) }),
    ...(old.lastHeartbeatTime === undefined ? {} : { lastHeartbeatTime: old.lastHeartbeatTime }),
  };
  const due = old.lastHeartbeatTime === undefined || seen.now - Date.parse(old.lastHeartbeatTime) >= heartbeatWriteMs;
  return due ? { ...status, lastHeartbeatTime: now } : status;
}

/** Free disk space moves all the time; only a change worth a write is one. Both in whole Gi. */
function nearlySame(a: string, b: string): boolean {
  return Math.abs(Number.parseInt(a, 10) - Number.parseInt(b, 10)) <= 1;
}

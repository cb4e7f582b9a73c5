import { timestamp } from "../../src/base/clock.ts";
import { findCondition, setConditions, type ConditionInput } from "../../src/api/conditions.ts";
import type { Node, NodeStatus } from "../../src/api/node.ts";
import type { Provider, ProviderName, ProviderProbe } from "../../src/providers/provider.ts";
import type { WayState } from "../machines.ts";
import type { FoundOrphan } from "../orphan/found-orphans.ts";
import type { MachineFacts } from "./facts.ts";

/** How often a Node that is well says so in the store. Between, it is asked more often than it is written. */
export const heartbeatWriteMs = 60_000;

/**
 * A machine whose connection has not broken may say nothing for so long before nothing is known of it any more: two minutes,
 * as long as a connection is kept through silence, and the half a minute by which the heartbeat on record may be old.
 */
export const silenceMsMax = 150_000;

/** Clocks that differ by more are worth telling: what is compared across the two goes wrong by as much. */
const skewSecondsMax = 5;

/** Orphans a status tells of. */
const orphansMax = 100;

export type ProviderFeaturesStatus = NonNullable<NonNullable<NodeStatus["providers"]>[number]["features"]>;

/** What an engine can do, as a Node's status tells it. Pure. */
export function featuresOf({ features, publish, console }: Pick<Provider, "features" | "publish" | "console">): ProviderFeaturesStatus {
  const { isolation, limits, snapshots, publishesPorts } = features;
  return { isolation, limits, snapshots, console: console !== undefined, publish: !publishesPorts ? "Never" : publish === undefined ? "AtCreation" : "Always" };
}

export interface NodeObservation {
  /** What the machine told of itself, or why it could not be asked. reason "Silent": there is no answer, and no sign that there is no way. */
  readonly machine:
    | { readonly kind: "answered"; readonly facts: MachineFacts; /** Seconds by which its clock is ahead of ours. */ readonly skewSeconds: number }
    /** It answers, but could not be made to run the command that asks. */
    | { readonly kind: "busy"; readonly message: string }
    | { readonly kind: "silent"; readonly reason: string; readonly message: string };
  /** The connection to it; undefined when it is this machine. */
  readonly remote: (WayState & { readonly address: string }) | undefined;
  readonly providers: readonly { readonly name: ProviderName; readonly probe: ProviderProbe; readonly features?: ProviderFeaturesStatus }[];
  /** Workspaces placed on it. */
  readonly workspaces: number;
  readonly orphans: readonly FoundOrphan[];
  readonly now: number;
}

/** The status a Node should have. Pure. */
export function planNode(node: Node, seen: NodeObservation): NodeStatus {
  switch (seen.machine.kind) {
    case "answered":
      return answered(node, seen, seen.machine);
    case "busy":
      return busy(node, seen, seen.machine.message);
    case "silent":
      return unanswered(node, seen, seen.machine);
  }
}

/** It is there, so what is known of it stands; and who wonders why nothing moves finds out. */
function busy(node: Node, seen: NodeObservation, message: string): NodeStatus {
  const old = node.status ?? {};
  const observedGeneration = node.metadata.generation;
  const due = isHeartbeatDue(old, seen.now);
  const ready: ConditionInput = { type: "Ready", status: "False", reason: "Busy", message, observedGeneration };
  return { ...old, ...connection(old, seen, due), observedGeneration, workspaces: seen.workspaces, conditions: conditions(node, seen, [ready]), ...(due ? { lastHeartbeatTime: timestamp(seen.now) } : {}) };
}

function isHeartbeatDue({ lastHeartbeatTime }: NodeStatus, now: number): boolean {
  return lastHeartbeatTime === undefined || now - Date.parse(lastHeartbeatTime) >= heartbeatWriteMs;
}

function unanswered(node: Node, seen: NodeObservation, { reason, message }: Extract<NodeObservation["machine"], { kind: "silent" }>): NodeStatus {
  const old = node.status ?? {};
  const observedGeneration = node.metadata.generation;
  const lastHeardMs = old.lastHeartbeatTime === undefined ? -Infinity : Date.parse(old.lastHeartbeatTime);
  const wasKnown = (findCondition(old.conditions, "Ready")?.status ?? "Unknown") !== "Unknown";
  const borne = reason === "Silent" && wasKnown && seen.now - lastHeardMs < silenceMsMax;
  const lost: ConditionInput = { type: "Ready", status: "Unknown", reason: reason === "Silent" ? "Unreachable" : reason, message, observedGeneration };
  const { ssh: _, ...rest } = old;
  return { ...rest, ...connection(old, seen, false), observedGeneration, workspaces: seen.workspaces, conditions: conditions(node, seen, borne ? [] : [lost]) };
}

function answered(node: Node, seen: NodeObservation, { facts, skewSeconds }: Extract<NodeObservation["machine"], { kind: "answered" }>): NodeStatus {
  const now = timestamp(seen.now);
  const old = node.status ?? {};
  const observedGeneration = node.metadata.generation;
  const usable = seen.providers.filter((each) => each.probe.usable).map((each) => each.name);
  const ready = usable.length > 0
    ? ({ type: "Ready", status: "True", reason: "Probed", message: `usable: ${usable.join(", ")}`, observedGeneration } as const)
    : ({ type: "Ready", status: "False", reason: "NoProvider", message: seen.providers.map(({ name, probe }) => `${name}: ${probe.usable ? "" : probe.message}`).join("; "), observedGeneration } as const);
  const due = isHeartbeatDue(old, seen.now);
  const skew = steadySkew(old.clockSkewSeconds, skewSeconds);
  return {
    observedGeneration,
    conditions: conditions(node, seen, [ready, ...(seen.remote === undefined ? [] : [clockCondition(skew)])]),
    providers: seen.providers.map(({ name, probe, features }) => {
      const known = features === undefined ? {} : { features };
      return probe.usable ? { name, usable: true, version: probe.version, ...(probe.message === undefined ? {} : { message: probe.message }), ...known } : { name, usable: false, reason: probe.reason, message: probe.message, ...known };
    }),
    capacity: { ...facts.capacity },
    free: { disk: old.free?.disk !== undefined && nearlySame(old.free.disk, facts.diskFree) ? old.free.disk : facts.diskFree },
    nodeInfo: { ...facts.info },
    ...connection(old, seen, due),
    ...(seen.remote === undefined ? {} : { clockSkewSeconds: skew }),
    workspaces: seen.workspaces,
    ...(seen.orphans.length === 0 ? {} : { orphans: seen.orphans.slice(0, orphansMax).map(({ provider, instanceId, namespace, name, firstSeen }) => ({ provider, instanceId, workspace: `${namespace}/${name}`, firstSeenTime: timestamp(firstSeen) })) }),
    ...(due ? { lastHeartbeatTime: now } : { lastHeartbeatTime: old.lastHeartbeatTime! }),
  };
}

/** Those of this pass, and whether the machine shows a key that is pinned: as long as it was not seen to be another, what was said of that stands. */
function conditions(node: Node, { machine, remote, now }: NodeObservation, next: readonly ConditionInput[]): NonNullable<NodeStatus["conditions"]> {
  const observedGeneration = node.metadata.generation;
  const about = (type: string) => type === "HostKeyTrusted" || type === "ClockInSync";
  const old = (node.status?.conditions ?? []).filter(({ type }) => remote !== undefined || !about(type));
  const key: readonly ConditionInput[] =
    remote === undefined ? []
    : machine.kind === "answered" ? [{ type: "HostKeyTrusted", status: "True", reason: "Pinned", message: "the machine shows a host key that is pinned", observedGeneration }]
    : remote.trouble?.reason === "HostKeyChanged" ? [{ type: "HostKeyTrusted", status: "False", reason: "HostKeyChanged", message: remote.trouble.message, observedGeneration }]
    : [];
  return [...setConditions(old, timestamp(now), ...next, ...key)];
}

/** What to say of a host key that is not pinned and was not seen at the last look; undefined when there is none. Pure. */
export function hostKeyNews({ metadata: { name }, status: old }: Node, status: NodeStatus): string | undefined {
  const [before, after] = [old, status].map((each) => findCondition(each?.conditions, "HostKeyTrusted"));
  if (after?.status !== "False" || (before?.status === "False" && before.message === after.message)) return undefined;
  return `${after.message}. Nothing is asked of it until 'vendetta node trust ${name}' has taken the new key`;
}

/** Latency differs each time: it is told with the heartbeat, or when there was none. */
function connection(old: NodeStatus, { remote }: NodeObservation, due: boolean): Pick<NodeStatus, "address" | "ssh"> {
  if (remote === undefined) return { address: "local" };
  const { address, latencyMs, connectedSinceMs, reconnects, lastError } = remote;
  const latency = connectedSinceMs === undefined || latencyMs === undefined ? undefined : due ? Math.round(latencyMs) : (old.ssh?.latencyMs ?? Math.round(latencyMs));
  return {
    address,
    ssh: {
      ...(latency === undefined ? {} : { latencyMs: latency }),
      ...(connectedSinceMs === undefined ? {} : { connectedSince: timestamp(connectedSinceMs) }),
      reconnects,
      ...(lastError === undefined ? {} : { lastError }),
    },
  };
}

/** Both clocks are read in whole seconds, and not at the same moment: a second more or less is no news. */
function steadySkew(old: number | undefined, seconds: number): number {
  if (old !== undefined && Math.abs(old - seconds) <= 1) return old;
  return Math.abs(seconds) <= 1 ? 0 : seconds;
}

function clockCondition(skewSeconds: number): ConditionInput {
  if (Math.abs(skewSeconds) <= skewSecondsMax) return { type: "ClockInSync", status: "True", reason: "InSync", message: `its clock is within ${skewSecondsMax} s of the server's` };
  return { type: "ClockInSync", status: "False", reason: "ClockSkew", message: `its clock is ${Math.abs(skewSeconds)} s ${skewSeconds > 0 ? "ahead of" : "behind"} the server's; let both keep the time (systemd-timesyncd, chrony)` };
}

/** Free disk space moves all the time; only a change worth a write is one. Both in whole Gi. */
function nearlySame(a: string, b: string): boolean {
  return Math.abs(Number.parseInt(a, 10) - Number.parseInt(b, 10)) <= 1;
}

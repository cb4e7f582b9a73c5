import { findCondition } from "../api/conditions.ts";
import type { Node } from "../api/node.ts";
import { formatBytes, parseQuantity } from "../api/quantity.ts";
import type { AnyObject } from "../api/registry.ts";
import type { Service } from "../api/service.ts";
import type { Source } from "../api/source.ts";
import type { Workspace } from "../api/workspace.ts";
import { nodeHint } from "./node-hint.ts";
import { addressOf } from "./node-reach.ts";
import { settled } from "./readiness.ts";

/** All that a look at the cluster needs. */
export interface ClusterState {
  readonly nodes: readonly Node[];
  readonly workspaces: readonly Workspace[];
  readonly services: readonly Service[];
  readonly sources: readonly Source[];
}

/** Of one resource of a Node, as quantities. */
export interface ResourceUse {
  readonly capacity: string | null;
  /** Sum of what the Workspaces placed there ask for. */
  readonly requested: string;
}

export interface ClusterProblem {
  readonly kind: "Node" | "Workspace" | "Service" | "Source";
  readonly namespace: string | null;
  readonly name: string;
  /** One word: a phase, a reason. */
  readonly state: string;
  readonly message: string;
}

export interface NodeLine {
  readonly name: string;
  readonly ready: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly address: string;
  readonly schedulable: boolean;
  readonly drained: boolean;
  readonly providers: readonly string[];
  readonly cpu: ResourceUse;
  readonly memory: ResourceUse;
  readonly disk: ResourceUse;
  /** Free bytes where instances are kept. */
  readonly diskFree: string | null;
  readonly workspaces: number;
  readonly orphans: number;
  readonly latencyMs: number | null;
}

/** `cluster status -o json`: fields may be added, and none goes or changes its meaning. */
export interface ClusterView {
  readonly apiVersion: "vendetta.dev/v1alpha1";
  readonly kind: "ClusterStatus";
  readonly healthy: boolean;
  readonly problems: readonly ClusterProblem[];
  readonly nodes: readonly NodeLine[];
  readonly workspaces: readonly { readonly namespace: string; readonly name: string; readonly ready: boolean; readonly phase: string; readonly provider: string; readonly node: string | null; readonly services: number; readonly servicesReady: number; readonly restarts: number }[];
  readonly services: readonly { readonly namespace: string; readonly name: string; readonly ready: boolean; readonly phase: string; readonly workspace: string; readonly url: string | null; readonly restarts: number }[];
}

/** What is there and what is wrong with it. Pure. What is as its spec wishes, a stopped Workspace for one, is no problem. */
export function clusterView({ nodes, workspaces, services, sources }: ClusterState): ClusterView {
  const servicesOf = groupBy(services, (each) => `${each.metadata.namespace}/${each.spec.workspace}`);
  const placed = groupBy(workspaces, (each) => each.status?.nodeName ?? "");
  const problems = [...nodes.flatMap(nodeProblems), ...workspaces.flatMap((each) => workspaceProblems(each, servicesOf.get(keyOf(each)) ?? [])), ...serviceProblems(services, workspaces), ...sources.flatMap(sourceProblems)];
  return {
    apiVersion: "vendetta.dev/v1alpha1",
    kind: "ClusterStatus",
    healthy: problems.length === 0,
    problems,
    nodes: nodes.map((node) => nodeLine(node, placed.get(node.metadata.name) ?? [])),
    workspaces: workspaces.map((each) => {
      const own = servicesOf.get(keyOf(each)) ?? [];
      return { namespace: each.metadata.namespace!, name: each.metadata.name, ready: isReady(each), phase: each.status?.phase ?? "Pending", provider: each.spec.provider, node: each.status?.nodeName ?? null, services: own.length, servicesReady: own.filter(isReady).length, restarts: each.status?.restarts ?? 0 };
    }),
    services: services.map((each) => ({ namespace: each.metadata.namespace!, name: each.metadata.name, ready: isReady(each), phase: each.status?.phase ?? "Pending", workspace: each.spec.workspace, url: each.status?.url ?? null, restarts: each.status?.restarts ?? 0 })),
  };
}

const keyOf = ({ metadata }: Workspace) => `${metadata.namespace}/${metadata.name}`;
const isReady = (object: Workspace | Service) => findCondition(object.status?.conditions, "Ready")?.status === "True";

function groupBy<T>(items: readonly T[], keyOfItem: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOfItem(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function problemOf(object: Node | Workspace | Service | Source, state: string, message: string): ClusterProblem {
  return { kind: object.kind, namespace: object.metadata.namespace ?? null, name: object.metadata.name, state, message };
}

function nodeProblems(node: Node): readonly ClusterProblem[] {
  const problems: ClusterProblem[] = [];
  const verdict = settled(node);
  const ready = findCondition(node.status?.conditions, "Ready");
  if (!verdict.done) problems.push(problemOf(node, ready === undefined || ready.status === "True" ? verdict.state : ready.reason, [verdict.message, nodeHint(node)].filter((each) => each !== undefined && each !== "").join("; ")));
  const orphans = node.status?.orphans ?? [];
  if (orphans.length > 0) problems.push(problemOf(node, "Orphans", `${orphans.length === 1 ? "an instance belongs" : `${orphans.length} instances belong`} to no Workspace; 'vendetta get orphans' lists them`));
  return problems;
}

function sourceProblems(source: Source): readonly ClusterProblem[] {
  const verdict = settled(source);
  const reason = findCondition(source.status?.conditions, "Ready")?.reason;
  return verdict.done ? [] : [problemOf(source, reason === undefined || reason === "Applied" ? verdict.state : reason, verdict.message)];
}

function workspaceProblems(workspace: Workspace, services: readonly Service[]): readonly ClusterProblem[] {
  const verdict = settled(workspace);
  if (verdict.done) return [];
  const waiting = services.length === 0 ? "" : `${verdict.message === "" ? "" : "; "}${services.length === 1 ? "a Service waits" : `${services.length} Services wait`} for it`;
  return [problemOf(workspace, verdict.state, `${verdict.message}${waiting}`)];
}

/** Those of a Workspace that is a problem itself, or is stopped, are not told of one by one. */
function serviceProblems(services: readonly Service[], workspaces: readonly Workspace[]): readonly ClusterProblem[] {
  const quiet = new Set(workspaces.filter((each) => !settled(each).done || each.spec.state === "Stopped").map(keyOf));
  return services.flatMap((each) => {
    if (quiet.has(`${each.metadata.namespace}/${each.spec.workspace}`)) return [];
    const verdict = settled(each as AnyObject);
    return verdict.done ? [] : [problemOf(each, verdict.state, verdict.message)];
  });
}

export function nodeLine(node: Node, placed: readonly Workspace[]): NodeLine {
  const { status } = node;
  const ready = findCondition(status?.conditions, "Ready");
  return {
    name: node.metadata.name,
    ready: ready?.status ?? "Unknown",
    reason: ready?.reason ?? "NotProbed",
    address: addressOf(node),
    schedulable: !node.spec.unschedulable && node.spec.drain === undefined,
    drained: node.spec.drain !== undefined,
    providers: (status?.providers ?? []).filter((each) => each.usable).map((each) => each.name),
    cpu: { capacity: status?.capacity?.cpu ?? null, requested: formatCores(requested(placed, "cpu")) },
    memory: { capacity: rounded(status?.capacity?.memory), requested: formatBytes(requested(placed, "memory")) },
    disk: { capacity: rounded(status?.capacity?.disk), requested: formatBytes(requested(placed, "disk")) },
    diskFree: status?.free?.disk ?? null,
    workspaces: placed.length,
    orphans: status?.orphans?.length ?? 0,
    latencyMs: status?.ssh?.latencyMs ?? null,
  };
}

function requested(placed: readonly Workspace[], resource: "cpu" | "memory" | "disk"): number {
  return placed.reduce((sum, { spec }) => sum + (parseQuantity(spec.resources[resource] ?? "0") ?? 0), 0);
}

/** "24105Mi" → "23.5Gi". */
function rounded(bytes: string | undefined): string | null {
  const count = bytes === undefined ? undefined : parseQuantity(bytes);
  return count === undefined ? (bytes ?? null) : formatBytes(count);
}

const formatCores = (cores: number) => String(Number(cores.toFixed(3)));

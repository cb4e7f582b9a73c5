import { findCondition, isTrue } from "./conditions.ts";
import { isDeleting } from "./meta.ts";
import type { Node, Taint } from "./node.ts";
import { packagesFor } from "./provider-packages.ts";
import { formatBytes, parseQuantity } from "./quantity.ts";
import type { Toleration, Workspace } from "./workspace.ts";

export type Placement = { readonly kind: "placed"; readonly nodeName: string } | { readonly kind: "unplaced"; readonly message: string };

/** The Workspaces that are placed on a Node. Asked only when the answer depends on them: there may be thousands. */
export type PlacedOn = (nodeName: string) => readonly Workspace[];

/**
 * Chooses a Node for a Workspace. Pure. Among those that fit, the one with the fewest Workspaces; then by name.
 * @param but the Node it is to leave
 */
export function schedule(workspace: Workspace, nodes: readonly Node[], placedOn: PlacedOn, but?: string): Placement {
  if (nodes.length === 0) return { kind: "unplaced", message: "there is no Node; 'vendetta node add' makes one of a machine" };
  const named = workspace.spec.nodeName;
  if (named !== undefined && !nodes.some((node) => node.metadata.name === named)) return { kind: "unplaced", message: `there is no Node "${named}", which spec.nodeName asks for; 'vendetta node list' shows those there are` };
  const fitting: Node[] = [];
  const refusals: string[] = [];
  for (const node of nodes) {
    const refusal = whyNot(workspace, node, placedOn) ?? (node.metadata.name === but ? "is the one it is on" : undefined);
    if (refusal === undefined) fitting.push(node);
    else refusals.push(`${node.metadata.name}: ${refusal}`);
  }
  if (fitting.length === 0) return { kind: "unplaced", message: `no Node fits: ${refusals.slice(0, 20).join("; ")}${refusals.length > 20 ? ` and ${refusals.length - 20} more` : ""}${whereItCould(workspace, nodes, placedOn, but)}` };
  if (fitting.length === 1) return { kind: "placed", nodeName: fitting[0]!.metadata.name };
  const load = new Map(fitting.map((node) => [node, placedOn(node.metadata.name).length]));
  const best = fitting.sort((a, b) => load.get(a)! - load.get(b)! || (a.metadata.name < b.metadata.name ? -1 : 1))[0]!;
  return { kind: "placed", nodeName: best.metadata.name };
}

/** Which Nodes lack nothing but the engine, and what to do about it; "" when there are none. */
function whereItCould(workspace: Workspace, nodes: readonly Node[], placedOn: PlacedOn, but: string | undefined): string {
  const { provider } = workspace.spec;
  const usable = (node: Node): Node => ({ ...node, status: { ...node.status, providers: [{ name: provider, usable: true }] } });
  const could = nodes.filter((node) => node.metadata.name !== but && whyNot(workspace, usable(node), placedOn) === undefined);
  if (could.length === 0) return "";
  const isMissing = could.some(({ status }) => status?.providers?.find((each) => each.name === provider)?.reason === "NotInstalled");
  const packages = packagesFor(provider);
  const names = could.slice(0, 20).map(({ metadata }) => metadata.name).join(", ");
  return `; it could run on ${names}${could.length > 20 ? ` and ${could.length - 20} more` : ""} with ${provider}${isMissing && packages !== undefined ? ` (on Debian: apt-get install ${packages})` : ""}`;
}

/** Why a Workspace cannot be placed on a Node; undefined when it can. */
export function whyNot(workspace: Workspace, node: Node, placedOn: PlacedOn): string | undefined {
  const { spec } = workspace;
  const { name } = node.metadata;
  if (spec.nodeName !== undefined && spec.nodeName !== name) return `spec.nodeName asks for ${spec.nodeName}`;
  const lacking = Object.entries(spec.nodeSelector ?? {}).filter(([key, value]) => node.metadata.labels?.[key] !== value).map((each) => each.join("="));
  if (lacking.length > 0) return `its labels do not match spec.nodeSelector: ${lacking.slice(0, 5).join(", ")}${lacking.length > 5 ? ", …" : ""}`;
  if (isDeleting(node)) return "is being deleted";
  // Its volumes there, and perhaps its processes, are of an earlier time.
  if (workspace.status?.leftBehind?.some((each) => each.nodeName === name) === true) return "still has what was left behind of it there";
  // A Workspace that names its Node goes there even when it is cordoned, as a Pod with nodeName does.
  if (node.spec.drain !== undefined && spec.nodeName === undefined) return "is drained";
  if (node.spec.unschedulable && spec.nodeName === undefined) return "is cordoned";
  const taint = node.spec.taints.find((each) => !isTolerated(workspace, each));
  if (taint !== undefined) return `has the taint ${taint.key}${taint.value === "" ? "" : `=${taint.value}`}:${taint.effect}, which is not tolerated`;
  if (!isTrue(node.status?.conditions, "Ready")) return whyNotReady(node);
  const provider = node.status?.providers?.find((each) => each.name === spec.provider);
  if (provider?.usable !== true) return `provider ${spec.provider} is not usable${provider?.message ? ` (${provider.message})` : ""}`;
  return whyNoRoom(workspace, node, () => placedOn(name).filter((each) => each.metadata.uid !== workspace.metadata.uid));
}

function whyNotReady({ metadata, spec, status }: Node): string {
  const ready = findCondition(status?.conditions, "Ready");
  if (ready === undefined) return "has not been looked at yet";
  const next = spec.ssh === undefined ? "" : `; 'vendetta node status ${metadata.name}' tells more`;
  return `${ready.status === "Unknown" ? "does not answer" : "is not Ready"} (${ready.reason}: ${ready.message}${next})`;
}

function whyNoRoom(workspace: Workspace, node: Node, there: () => readonly Workspace[]): string | undefined {
  for (const resource of ["cpu", "memory", "disk"] as const) {
    const wanted = parseQuantity(workspace.spec.resources[resource] ?? "0") ?? 0;
    const capacity = parseQuantity(node.status?.capacity?.[resource] ?? "");
    if (wanted === 0 || capacity === undefined) continue;
    const taken = there().reduce((sum, each) => sum + (parseQuantity(each.spec.resources[resource] ?? "0") ?? 0), 0);
    if (taken + wanted > capacity) return `not enough ${resource} (${workspace.spec.resources[resource]} asked for, ${formatLeft(resource, capacity - taken)} of ${node.status?.capacity?.[resource]} left)`;
  }
  return undefined;
}

function formatLeft(resource: "cpu" | "memory" | "disk", left: number): string {
  const amount = Math.max(0, left);
  if (resource === "cpu") return String(Number(amount.toFixed(2)));
  return resource === "memory" ? `${Math.floor(amount / 2 ** 20)}Mi` : formatBytes(amount);
}

export function isTolerated({ spec }: Workspace, taint: Taint): boolean {
  return spec.tolerations.some((toleration) => tolerates(toleration, taint));
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== taint.effect) return false;
  if (toleration.operator === "Exists") return toleration.key === undefined || toleration.key === taint.key;
  return toleration.key === taint.key && toleration.value === taint.value;
}

import { findCondition, isTrue } from "../../api/conditions.ts";
import { humanDuration } from "../../api/human-duration.ts";
import type { Node } from "../../api/node.ts";
import type { Workspace } from "../../api/workspace.ts";
import { nodeLine } from "../cluster-view.ts";
import { hostKeyFingerprint } from "../host-key-fingerprint.ts";
import { nodeHint } from "../node-hint.ts";
import { addressOf, placedOn, shortName } from "../node-reach.ts";
import type { Session } from "../session.ts";
import { printable, stateStyle } from "../style.ts";
import { cellText, tableLines } from "../table-text.ts";

/** How Nodes are, how they are reached, what they have, and what is on them. @param name absent: each Node */
export async function nodeStatus(session: Session, name: string | undefined): Promise<void> {
  const store = await session.connect();
  const nodes = name === undefined ? (await store.list("Node")).items : [await store.get("Node", { name })];
  if (nodes.length === 0) return session.tell("There are no Nodes; 'vendetta node add MACHINE' makes a machine one.");
  for (const [i, node] of nodes.entries()) {
    if (i > 0) session.print("\n");
    printNode(session, node, await placedOn(store, node.metadata.name));
  }
}

function printNode(session: Session, node: Node, placed: readonly Workspace[]): void {
  const { clock, stdout } = session.world;
  const { status } = node;
  const style = session.outStyle;
  const since = (time: string) => humanDuration(clock.now() - Date.parse(time));
  const line = (label: string, text: string) => session.print(`${`${label}:`.padEnd(14)}${text}`);
  const table = (title: string, header: readonly string[], rows: readonly (readonly string[])[]) => {
    if (rows.length === 0) return session.print(`\n${title}: none`);
    session.print(`\n${title}:`);
    for (const each of tableLines({ header, rows: rows.map((row) => row.map(cellText)) }, { style, header: true, columns: stdout.isTTY === true ? stdout.columns : undefined, wrapLast: true })) session.print(each);
  };

  line("Name", node.metadata.name);
  line("Address", addressOf(node));
  const ready = findCondition(status?.conditions, "Ready");
  line("Ready", ready === undefined ? "not looked at yet" : `${stateStyle(style, ready.status)(ready.status)} for ${since(ready.lastTransitionTime)} (${ready.reason}: ${printable(ready.message)})`);
  const hint = nodeHint(node);
  if (hint !== undefined) line("Next step", hint);
  for (const [label, text] of connectionLines(node, since, clock.now())) line(label, text);
  line("Scheduling", `${scheduling(node)}${node.spec.taints.length === 0 ? "" : `; taints ${node.spec.taints.map((each) => `${each.key}${each.value === "" ? "" : `=${each.value}`}:${each.effect}`).join(", ")}`}`);
  const info = status?.nodeInfo;
  if (info !== undefined) line("System", printable([info.operatingSystem, info.kernelVersion, info.architecture, info.hostname].filter((each) => each !== undefined && each !== "").join(", ")));

  const { cpu, memory, disk, diskFree } = nodeLine(node, placed);
  table("Capacity", ["RESOURCE", "CAPACITY", "REQUESTED"], [["cpu", cpu.capacity ?? "", cpu.requested], ["memory", memory.capacity ?? "", memory.requested], ["disk", `${disk.capacity ?? ""}${diskFree === null ? "" : ` (${diskFree} free)`}`, disk.requested]]);
  table("Providers", ["NAME", "USABLE", "VERSION", "CAN", "MESSAGE"], (status?.providers ?? []).map((each) => [each.name, each.usable ? "yes" : "no", each.version ?? "", abilities(each.features), each.message ?? ""]));
  table("Workspaces", ["NAME", "STATUS", "PROVIDER", "INSTANCE"], placed.map((each) => [shortName(each), each.status?.phase ?? "Pending", each.spec.provider, each.status?.instanceId ?? ""]));
  table("Orphans", ["INSTANCE", "PROVIDER", "WORKSPACE", "SEEN FOR"], (status?.orphans ?? []).map((each) => [each.instanceId, each.provider, each.workspace, since(each.firstSeenTime)]));
}

/** In a few words: what is not said, it cannot. */
function abilities(features: NonNullable<NonNullable<Node["status"]>["providers"]>[number]["features"]): string {
  if (features === undefined) return "";
  const { isolation, limits, snapshots, console, publish } = features;
  const words = [isolation === "none" ? undefined : `isolate (${isolation})`, limits ? "limit" : undefined, snapshots ? "snapshot" : undefined, console ? "console" : undefined, publish === "Always" ? "publish while running" : publish === "AtCreation" ? "publish" : undefined];
  return words.filter((each) => each !== undefined).join(", ");
}

function scheduling({ metadata, spec, status }: Node): string {
  if (spec.drain !== undefined) return `drained: nothing runs here, until 'vendetta node uncordon ${metadata.name}'`;
  if (spec.unschedulable) return "cordoned: no new Workspace comes here";
  return isTrue(status?.conditions, "Ready") ? "new Workspaces may come here" : "no new Workspace comes here while it is not Ready";
}

/** The heartbeat is told of once a minute while all is well. */
const silentMs = 90_000;

function isSilent(status: Node["status"], nowMs: number): boolean {
  return status?.lastHeartbeatTime !== undefined && nowMs - Date.parse(status.lastHeartbeatTime) > silentMs;
}

function connectionLines({ spec, status }: Node, since: (time: string) => string, nowMs: number): readonly (readonly [label: string, text: string])[] {
  const lines: (readonly [string, string])[] = [];
  if (spec.ssh !== undefined) {
    const { latencyMs, connectedSince, reconnects, lastError } = status?.ssh ?? {};
    lines.push(["Connection", [latencyMs === undefined ? undefined : isSilent(status, nowMs) ? `has not answered for ${since(status!.lastHeartbeatTime!)}` : `answers in ${latencyMs} ms`, connectedSince === undefined ? "not connected" : `connected for ${since(connectedSince)}`, (reconnects ?? 0) > 0 ? `made anew ${reconnects} times` : undefined].filter((each) => each !== undefined).join(", ")]);
    if (lastError !== undefined) lines.push(["Last error", printable(lastError)]);
    lines.push(["Host keys", spec.ssh.hostKeys.map(hostKeyFingerprint).join(", ")]);
  }
  if (status?.clockSkewSeconds !== undefined && status.clockSkewSeconds !== 0) lines.push(["Clock", `${Math.abs(status.clockSkewSeconds)} s ${status.clockSkewSeconds < 0 ? "behind" : "ahead of"} the server's`]);
  if (status?.lastHeartbeatTime !== undefined) lines.push(["Heartbeat", `${since(status.lastHeartbeatTime)} ago`]);
  return lines;
}

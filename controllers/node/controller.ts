import { TimeoutError, timeoutSignal, type Clock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { keyOf, type Key } from "../../src/base/keys.ts";
import { findCondition } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import { isNotFound } from "../../src/api/status-error.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { ProviderProbe } from "../../src/providers/provider.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import { requeue, settled, type Outcome, type Reconciler } from "../../src/runtime/reconciler.ts";
import type { EventRecorder } from "../../src/runtime/recorder.ts";
import type { Store } from "../../src/store/store.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Machine, Machines } from "../machines.ts";
import type { FoundOrphans } from "../orphan/found-orphans.ts";
import { readMachineFacts } from "./facts.ts";
import { describeFailure } from "./why-unknown.ts";
import { featuresOf, hostKeyNews, planNode, type NodeObservation } from "./plan.ts";

export const nodeFinalizer = "vendetta.dev/node";

/** How often a Node is asked how it is. */
export const nodeProbeIntervalMs = 10_000;
const probeTimeoutMs = 8_000;

export interface NodeControllerParts {
  readonly store: Pick<Store, "update" | "updateStatus">;
  readonly nodes: Lister<"Node">;
  readonly workspaces: Lister<"Workspace">;
  readonly machines: Machines;
  readonly orphans: Pick<FoundOrphans, "of">;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}

/** Asks every Node, again and again, what it is and which engines work there. */
export function createNodeReconciler(parts: NodeControllerParts): Reconciler {
  return {
    kind: "Node",
    name: "node-controller",
    watches: [
      { kind: "Node" },
      // Only a Workspace that comes or goes changes what a Node's status says.
      {
        kind: "Workspace",
        keys: (workspace: Workspace): readonly Key[] => {
          const node = workspace.status?.nodeName === undefined ? undefined : parts.nodes.get({ name: workspace.status.nodeName });
          return node === undefined || node.status?.workspaces === countOn(parts, node) ? [] : [keyOf(node)];
        },
      },
    ],
    async reconcile(key, signal): Promise<Outcome> {
      let node = parts.nodes.byKey(key);
      if (node === undefined) {
        await parts.machines.release(key);
        return settled;
      }
      const held = (node.metadata.finalizers ?? []).includes(nodeFinalizer);
      if (isDeleting(node)) return held ? remove(parts, node) : settled;
      if (!held) node = await parts.store.update("Node", { ...node, metadata: { ...node.metadata, finalizers: [...(node.metadata.finalizers ?? []), nodeFinalizer] } });
      const status = planNode(node, await observe(parts, node, parts.machines.of(node), signal));
      if (fingerprint(status) !== fingerprint(node.status)) {
        await parts.store.updateStatus("Node", { ...node, status });
        tell(parts, node, status);
      }
      return requeue(nodeProbeIntervalMs);
    },
  };
}

function countOn(parts: NodeControllerParts, node: Node): number {
  return parts.workspaces.list().filter((each) => each.status?.nodeName === node.metadata.name).length;
}

async function observe(parts: NodeControllerParts, node: Node, machine: Machine, signal: AbortSignal): Promise<NodeObservation> {
  using bound = timeoutSignal(parts.clock, probeTimeoutMs, `probing Node "${node.metadata.name}"`, signal);
  const [facts, ...probes] = await Promise.all([
    readMachineFacts(machine.transport, probeTimeoutMs, bound.signal).then(
      (answer) => ({ kind: "answered", facts: answer, skewSeconds: answer.clockSeconds - Math.floor(parts.clock.now() / 1000) }) as const,
      async (error: unknown) => {
        const trouble = troubleOf(machine, error);
        const isBusy = trouble.reason === "Silent" && machine.remote !== undefined && !(await machine.remote.isSilent(signal));
        return isBusy ? ({ kind: "busy", message: describeFailure(error, machine) } as const) : ({ kind: "silent", ...trouble } as const);
      },
    ),
    ...machine.providers.map(async (provider) => ({
      name: provider.name,
      features: featuresOf(provider),
      probe: await provider.probe(bound.signal).catch((error: unknown): ProviderProbe => ({ usable: false, reason: "Unreachable", message: messageOf(error) })),
    })),
  ]);
  signal.throwIfAborted();
  return { machine: facts, remote: machine.remote && { address: machine.remote.address, ...machine.remote.state }, providers: probes, workspaces: countOn(parts, node), orphans: parts.orphans.of(node.metadata.name), now: parts.clock.now() };
}

/** Why it did not answer: what is wrong with the way to it, or that it says nothing. */
function troubleOf({ remote }: Machine, error: unknown): { readonly reason: string; readonly message: string } {
  return remote?.state.trouble ?? { reason: error instanceof TimeoutError ? "Silent" : "Unreachable", message: messageOf(error) };
}

const readyEvents = { True: "NodeReady", False: "NodeNotReady", Unknown: "NodeUnknown" } as const;

function tell(parts: NodeControllerParts, node: Node, status: NonNullable<Node["status"]>): void {
  const before = findCondition(node.status?.conditions, "Ready");
  const after = findCondition(status.conditions, "Ready");
  const changedKey = hostKeyNews(node, status);
  if (changedKey !== undefined) parts.recorder.event(node, "Warning", "HostKeyChanged", changedKey);
  else if (after !== undefined && after.status !== before?.status) parts.recorder.event(node, after.status === "True" ? "Normal" : "Warning", readyEvents[after.status], after.message);
  for (const provider of status.providers ?? []) {
    const old = node.status?.providers?.find((each) => each.name === provider.name);
    if (old !== undefined && old.usable !== provider.usable) {
      parts.recorder.event(node, provider.usable ? "Normal" : "Warning", provider.usable ? "ProviderUsable" : "ProviderNotUsable", `${provider.name}: ${provider.usable ? `usable again, version ${provider.version}` : provider.message}`);
    }
  }
}

/** A Node goes when nothing is placed on it any more: its machine is the only place where that can be cleaned up. */
async function remove(parts: NodeControllerParts, node: Node): Promise<Outcome> {
  const count = countOn(parts, node);
  const left = parts.workspaces.list().filter((each) => each.status?.leftBehind?.some(({ nodeName }) => nodeName === node.metadata.name) === true).length;
  if (count + left > 0) {
    const message = count > 0 ? `${count} Workspaces are placed on it; delete them first ('vendetta get workspaces -A')` : `${left} Workspaces that are elsewhere now left instances on it, which are removed when it answers`;
    parts.recorder.event(node, "Warning", "NodeInUse", message);
    return requeue(nodeProbeIntervalMs);
  }
  await parts.machines.release(node.metadata.name);
  try {
    await parts.store.update("Node", { ...node, metadata: { ...node.metadata, finalizers: (node.metadata.finalizers ?? []).filter((each) => each !== nodeFinalizer) } });
  } catch (error) {
    // INV-8: gone is what was asked for.
    if (!isNotFound(error)) throw error;
  }
  return settled;
}

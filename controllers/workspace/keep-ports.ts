import { createHash } from "node:crypto";
import { timeoutSignal } from "../../src/base/clock.ts";
import { keyOf } from "../../src/base/keys.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import { portsOf } from "../../src/api/service.ts";
import type { Workspace, WorkspacePort } from "../../src/api/workspace.ts";
import { ProviderError, type Instance, type Provider, type PublishedPort } from "../../src/providers/provider.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Machine } from "../machines.ts";
import type { WorkspaceDraft } from "./draft.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import { enginePorts } from "./instance-spec.ts";
import { assignPorts, type PortAnswer } from "./ports.ts";

const publishTimeoutMs = 15_000;

/** Records where its ports are, then carries those the engine does not. Answers what is in the way, if anything. */
export async function keepPorts(parts: WorkspaceControllerParts, draft: WorkspaceDraft, node: Node, machine: Machine, provider: Provider, instance: Instance | undefined, signal: AbortSignal): Promise<string | undefined> {
  const { uid } = draft.stored.metadata;
  const answer = await assign(parts, draft, node, machine, provider, instance);
  if (answer.kind === "conflict") return answer.message;
  if (fingerprint(answer.ports) !== fingerprint(draft.stored.status?.ports ?? [])) {
    const moved = (draft.stored.status?.ports ?? []).filter((old) => answer.ports.some((each) => each.port === old.port && each.nodePort !== old.nodePort));
    for (const { port, nodePort } of moved) parts.recorder.event(draft.stored, "Warning", "PortMoved", `port ${port} no longer answers on node port ${nodePort}: ${answer.ports.find((each) => each.port === port)!.nodePort} from now on`);
    await draft.write({ ports: answer.ports.map((each) => ({ ...each })) });
  }
  const id = draft.instanceId;
  // By the way there is when somebody connects: the Node may be reached otherwise by then.
  const { nodes, machines } = parts;
  const providerNow = () => machines.of(nodes.get(node.metadata) ?? node).provider(provider.name) ?? provider;
  const forwards = answer.ports.filter((each) => each.via === "Forward").map(({ port, nodePort }) => ({ nodePort, dial: (signal: AbortSignal) => providerNow().dial(id, port, signal) }));
  const refused = await parts.forwards.sync(uid, forwards);
  if (refused.size > 0) {
    await forgetStolen(parts, draft, (each) => refused.get(each.nodePort));
    return [...refused].map(([port, why]) => `node port ${port} cannot be used: ${why}`).join("; ");
  }
  return machine.remote === undefined && instance?.state === "running" ? republish(parts, draft, provider, instance, signal) : undefined;
}

/** Has an engine that can publish what is on record, and nothing else. Answers what is in the way, if anything. */
async function republish(parts: WorkspaceControllerParts, draft: WorkspaceDraft, provider: Provider, instance: Instance, signal: AbortSignal): Promise<string | undefined> {
  const wanted = enginePorts(draft.stored.status?.ports ?? []);
  const inOrder = (ports: readonly PublishedPort[]) => fingerprint([...ports].sort((a, b) => a.port - b.port));
  if (provider.publish === undefined || inOrder(wanted) === inOrder(instance.ports)) return undefined;
  try {
    using bound = timeoutSignal(parts.clock, publishTimeoutMs, `publishing ports of ${instance.id}`, signal);
    await provider.publish(instance.id, wanted, bound.signal);
    parts.instances.forget(instance.id);
    return undefined;
  } catch (error) {
    if (signal.aborted || !(error instanceof ProviderError)) throw error;
    // It ended, or the way to it did: the next look tells.
    if (["NotRunning", "NotFound", "EngineUnreachable"].includes(error.reason)) return undefined;
    if (error.reason !== "PortInUse") return error.message;
    const isNew = ({ nodePort, via }: WorkspacePort) => via === "Engine" && !instance.ports.some((each) => each.nodePort === nodePort);
    await forgetStolen(parts, draft, (each) => (isNew(each) && error.message.includes(String(each.nodePort)) ? error.message : undefined));
    return error.message;
  }
}

/** Ports that somebody else has taken: without a record of them, the next pass chooses others. @param why undefined: it has not been taken */
export async function forgetStolen({ recorder }: WorkspaceControllerParts, draft: WorkspaceDraft, why: (port: WorkspacePort) => string | undefined): Promise<void> {
  const ports = draft.stored.status?.ports ?? [];
  const asked = new Set(draft.stored.spec.ports.map(({ nodePort }) => nodePort));
  for (const each of ports) {
    const reason = why(each);
    if (reason !== undefined && !asked.has(each.nodePort)) recorder.event(draft.stored, "Warning", "PortMoved", `port ${each.port} loses node port ${each.nodePort} and gets another one: ${reason}`);
  }
  await draft.write({ ports: ports.filter((each) => why(each) === undefined).map((each) => ({ ...each })) });
}

function assign(parts: WorkspaceControllerParts, { stored }: WorkspaceDraft, node: Node, machine: Machine, provider: Provider, instance: Instance | undefined): Promise<PortAnswer> {
  const { metadata, spec, status } = stored;
  const wanted = new Map<number, number | undefined>();
  for (const { port, nodePort } of spec.ports) wanted.set(port, nodePort);
  for (const service of parts.services.byIndex("workspace", keyOf(stored))) {
    if (!isDeleting(service)) for (const { port } of portsOf(service.spec)) if (!wanted.has(port)) wanted.set(port, undefined);
  }
  const holder = (nodePort: number) => {
    const other = parts.workspaces.byIndex("nodePort", String(nodePort)).find((each) => each.metadata.uid !== metadata.uid);
    return other && `Workspace "${other.metadata.namespace}/${other.metadata.name}"`;
  };
  const sharer = (port: number) => {
    const shares = (each: Workspace) => each.metadata.uid !== metadata.uid && machine.provider(each.spec.provider)?.features.sharesNodeNetwork === true;
    // Once on record it was nobody's else, and stays so.
    if (status?.ports?.some((each) => each.port === port)) return undefined;
    const other = parts.workspaces.byIndex("node", node.metadata.name).find((each) => shares(each) && each.status?.ports?.some((one) => one.port === port));
    return other && `Workspace "${other.metadata.namespace}/${other.metadata.name}"`;
  };
  return assignPorts({
    wanted: [...wanted].map(([port, nodePort]) => ({ port, nodePort })),
    recorded: status?.ports ?? [],
    published: instance?.ports,
    engineRepublishes: provider.publish !== undefined,
    enginePublishes: provider.features.publishesPorts,
    sharesNodeNetwork: provider.features.sharesNodeNetwork,
    isRemote: machine.remote !== undefined,
    range: node.spec.nodePorts,
    seed: createHash("sha256").update(metadata.uid).digest().readUInt32BE(0),
    holder,
    sharer,
    isFree: (port) => (machine.remote ?? { isNodePortFree: machine.transport.isPortFree }).isNodePortFree(port),
  });
}

import { createHash } from "node:crypto";
import { keyOf } from "../../src/base/keys.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import { portsOf } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Instance, Provider } from "../../src/providers/provider.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Machine } from "../machines.ts";
import type { WorkspaceDraft } from "./draft.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import { assignPorts, type PortAnswer } from "./ports.ts";

/** Records where its ports are, then carries those the engine does not. Answers what is in the way, if anything. */
export async function keepPorts(parts: WorkspaceControllerParts, draft: WorkspaceDraft, node: Node, machine: Machine, provider: Provider, instance: Instance | undefined): Promise<string | undefined> {
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
  if (refused.size === 0) return undefined;
  // Stolen: forget them, so that the next pass chooses others.
  await draft.write({ ports: answer.ports.filter((each) => !refused.has(each.nodePort)).map((each) => ({ ...each })) });
  return [...refused].map(([port, why]) => `node port ${port} cannot be used: ${why}`).join("; ");
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

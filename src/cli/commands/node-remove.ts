import { AccessError, type OpenWay } from "../../access/access.ts";
import { messageOf } from "../../base/errors.ts";
import { clusterIdOf } from "../../api/cluster-id.ts";
import type { Node } from "../../api/node.ts";
import { hopsOf, type JumpReach, type SshReach } from "../../api/ssh-reach.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { deleteAll } from "./delete.ts";
import { durationArgument } from "../duration-argument.ts";
import { leftOn, machineName, openAccess, placedOn, sameMachine, shortName, withNextStep } from "../node-reach.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { CliError } from "../world.ts";

export interface NodeRemoveOptions {
  readonly keepKey?: boolean | undefined;
  readonly timeout?: string | undefined;
}

const namedMax = 10;

/** Deletes a Node that nothing is placed on, and takes the cluster's key away from its machine. */
export async function nodeRemove(session: Session, name: string, options: NodeRemoveOptions): Promise<void> {
  const timeoutMs = durationArgument(options.timeout ?? "60s");
  const store = await session.connect();
  const node = await store.get("Node", { name });
  await refuseInUse(store, name);
  const orphans = node.status?.orphans ?? [];
  if (orphans.length > 0) throw new CliError(`Node "${name}" has ${orphans.length === 1 ? "an instance" : `${orphans.length} instances`} that no Workspace owns: ${orphans.slice(0, namedMax).map((each) => each.instanceId).join(", ")}; ${orphans.length === 1 ? "it is" : "they are"} removed half a minute after ${orphans.length === 1 ? "it was" : "they were"} found ('vendetta get orphans'), and nobody could do so afterwards: try again then`);
  const reach = node.spec.ssh;
  const way = reach === undefined || options.keepKey === true ? undefined : await reached(session, store, name, reach);
  try {
    await deleteAll(session, store, [{ kind: "Node", name, uid: node.metadata.uid }], { wait: true, timeoutMs, say: () => {} });
    session.print(`node.vendetta.dev "${name}" deleted`);
    if (way !== undefined) {
      await tellKept(session, reach!, way);
      await withdraw(session, store, node, reach!, way);
    } else if (reach !== undefined) session.tell(`What Workspaces have left there, if anything, is in ~/.local/share/vendetta of ${machineName(reach)}.`);
    if (node.status?.providers?.some(({ name: engine, usable }) => engine === "docker" && usable) === true) session.tell(`Volumes that are kept there, if any, its Docker engine lists: docker volume ls --filter label=vendetta.dev/cluster=${clusterIdOf(await store.get("Namespace", { name: "default" }))}`);
  } finally {
    await way?.close();
  }
}

async function refuseInUse(store: HttpStore, name: string): Promise<void> {
  const placed = await placedOn(store, name);
  if (placed.length === 0) {
    const left = await leftOn(store, name);
    if (left.length > 0) throw new CliError(`Node "${name}" has instances that were left there by ${left.slice(0, namedMax).map(shortName).join(", ")}, which ${left.length === 1 ? "is" : "are"} on other Nodes now; they are removed when it answers: try again then, or, if the machine is gone for good, run 'vendetta node forget ${name}'`);
    return;
  }
  const names = placed.slice(0, namedMax).map(shortName).join(", ");
  throw new CliError(`Node "${name}" has ${placed.length === 1 ? "a Workspace" : `${placed.length} Workspaces`}: ${names}${placed.length > namedMax ? ` and ${placed.length - namedMax} more` : ""}; delete ${placed.length === 1 ? "it" : "them"} first ('vendetta delete workspace …'), or, if the machine is gone for good, run 'vendetta node forget ${name}'`);
}

/** Before anything is deleted: a key that cannot be taken away is better known now. */
async function reached(session: Session, store: HttpStore, name: string, reach: SshReach): Promise<OpenWay | undefined> {
  try {
    return await (await openAccess(session, store)).open(reach, session.signal);
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    // It does not let the key in any more: there is nothing to take away.
    if (error.failure === "LoginRefused") {
      session.tell(`${machineName(reach)} does not take the cluster's key any more; it is left as it is.`);
      return undefined;
    }
    throw new CliError(`Cannot take the cluster's key away from ${machineName(reach)}: ${messageOf(withNextStep(error, name))}; nothing was changed. Try again when it can be reached, leave the key there with --keep-key, or, if the machine is gone for good, run 'vendetta node forget ${name}'`, { cause: error });
  }
}

/** Nothing there looks after it any more, and it is never deleted unasked: somebody may want what is in it. */
async function tellKept({ tell }: Session, reach: SshReach, way: OpenWay): Promise<void> {
  try {
    const { paths, more } = await way.kept();
    if (paths.length > 0) tell(`Kept on ${machineName(reach)}, until you remove it there:\n${paths.map((path) => `  ${printable(path)}`).join("\n")}${more === 0 ? "" : `\n  … and ${more} more`}`);
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    tell(`What Workspaces have left on ${machineName(reach)}, if anything, is in ~/.local/share/vendetta there: ${printable(error.message)}`);
  }
}

/** A machine that other Nodes are reached through, or that is one under another name, keeps the key. */
async function withdraw(session: Session, store: HttpStore, node: Node, reach: SshReach, way: OpenWay): Promise<void> {
  const others = (await store.list("Node")).items.filter(({ metadata, spec }) => metadata.uid !== node.metadata.uid && spec.ssh !== undefined);
  const isUsed = (machine: Parameters<typeof sameMachine>[0]) => others.find(({ spec: { ssh } }) => ssh !== undefined && hopsOf<JumpReach>(ssh).some((hop) => sameMachine(hop, machine)));
  const user = isUsed(reach);
  if (user !== undefined) return session.tell(`The cluster's key stays on ${machineName(reach)}: Node "${user.metadata.name}" needs it.`);
  try {
    for (const { where, removed } of await way.withdraw((machine) => isUsed(machine) === undefined)) session.tell(removed ? `Took the cluster's key away from ${where}.` : `The cluster's key was not in ~/.ssh/authorized_keys of ${where}.`);
  } catch (error) {
    throw new CliError(`The Node is deleted, but its key is still there: ${messageOf(error)}; remove the line that ends in vendetta-… from ~/.ssh/authorized_keys of ${machineName(reach)}`, { cause: error });
  }
  for (const machine of hopsOf<JumpReach>(reach).slice(0, -1).reverse()) {
    const jumpUser = isUsed(machine);
    if (jumpUser !== undefined) session.tell(`It stays on ${machineName(machine)}: Node "${jumpUser.metadata.name}" needs it.`);
  }
}

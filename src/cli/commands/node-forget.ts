import { findCondition } from "../../api/conditions.ts";
import type { Node } from "../../api/node.ts";
import type { KindName } from "../../api/registry.ts";
import type { Workspace } from "../../api/workspace.ts";
import { isNotFound } from "../../api/status-error.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { addressOf, leftOn, machineName, placedOn, shortName } from "../node-reach.ts";
import { createPerson } from "../person.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { tableLines } from "../table-text.ts";
import { CliError } from "../world.ts";

export interface NodeForgetOptions {
  readonly yes?: boolean | undefined;
}

/** Lets go of a Node that does not answer, and of what was placed on it, without cleaning up there. */
export async function nodeForget(session: Session, name: string, { yes }: NodeForgetOptions): Promise<void> {
  const store = await session.connect();
  const node = await store.get("Node", { name });
  const ready = findCondition(node.status?.conditions, "Ready");
  if (node.spec.local !== undefined) throw new CliError(`Node "${name}" is this machine, and cannot be forgotten: delete what is on it, then the Node`);
  if (ready?.status === "True") throw new CliError(`Node "${name}" answers: remove it properly ('vendetta node remove ${name}'); forgetting is for a machine that is gone`);
  const placed = await placedOn(store, name);
  const strays = await leftOn(store, name);
  const [moving, lost] = [placed.filter(isMadeAnew), placed.filter((each) => !isMadeAnew(each))];
  session.tell(`Node "${name}" (${addressOf(node)}) does not answer${ready === undefined ? "" : `: ${printable(ready.message)}`}\nWhat may be left behind there, as nobody can look:\n${leftBehind(session, node, [...placed, ...strays]).map((line) => `  ${line}`).join("\n")}\nShould the machine come back and be added again, under whatever name, instances that are left show in 'vendetta get orphans' and are removed half a minute later. Their volumes are kept.${moving.length === 0 ? "" : `\nMade anew on other Nodes, as spec.failover asks: ${moving.map(shortName).join(", ")}.`}`);
  if (yes !== true && !(await confirmed(session, name))) throw new CliError(`Node "${name}" was not forgotten; nothing was changed`);
  for (const { metadata } of lost) await letGo(store, "Workspace", metadata);
  await letGo(store, "Node", node.metadata);
  session.print(`node.vendetta.dev "${name}" forgotten${lost.length === 0 ? "" : `, with ${lost.length === 1 ? "a Workspace" : `${lost.length} Workspaces`}`}`);
}

/** It outlives its Node: its loop finds it another one. */
const isMadeAnew = ({ metadata, spec }: Workspace) => spec.failover !== undefined && metadata.deletionTimestamp === undefined;

/** Of those that are placed there, and of those that are elsewhere now: by name and engine, as whoever gets to the machine would look for them: no name is cut, however narrow the terminal. */
function leftBehind({ errStyle: style }: Session, node: Node, owners: readonly Workspace[]): readonly string[] {
  const rows = owners.map((each) => [each.status?.instanceId ?? "<not known to be made>", each.spec.provider, shortName(each), each.spec.mounts.flatMap(({ volume }) => volume ?? []).join(",") || "<none>"]);
  return [
    ...(rows.length === 0 ? [] : tableLines({ header: ["INSTANCE", "ENGINE", "WORKSPACE", "VOLUMES"], rows }, { style, header: true })),
    ...(node.spec.ssh === undefined ? [] : [`the cluster's key in ~/.ssh/authorized_keys of ${machineName(node.spec.ssh)}`]),
  ];
}

async function confirmed({ world, signal }: Session, name: string): Promise<boolean> {
  const person = createPerson(world, signal, () => {});
  if (!person.isThere) throw new CliError(`Nobody is there to be asked; if all that may be left behind, add --yes to 'vendetta node forget ${name}'`);
  return await person.confirm(`Forget Node "${name}"?`);
}

/** Deletes it without waiting for what guards its clean-up. Finalizers of others stay. */
async function letGo(store: HttpStore, kind: Extract<KindName, "Node" | "Workspace">, { namespace, name, uid }: { readonly namespace?: string | undefined; readonly name: string; readonly uid: string }): Promise<void> {
  try {
    const { metadata } = await store.delete(kind, { namespace, name }, { uid });
    if ((metadata.finalizers ?? []).length === 0) return;
    const kept = metadata.finalizers!.filter((each) => !each.startsWith("vendetta.dev/"));
    await store.patch(kind, { namespace, name }, { type: "merge", patch: { metadata: { uid, finalizers: kept } } });
  } catch (error) {
    // Gone is what was asked for.
    if (!isNotFound(error)) throw error;
  }
}

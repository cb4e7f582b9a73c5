import type { Workspace } from "../../api/workspace.ts";
import { isNotFound } from "../../api/status-error.ts";
import { durationArgument } from "../duration-argument.ts";
import { placedOn, shortName } from "../node-reach.ts";
import type { Session } from "../session.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";

/** Says whether new Workspaces may be placed on a Node. */
export async function nodeCordon(session: Session, verb: "cordon" | "uncordon", names: readonly string[]): Promise<void> {
  const store = await session.connect();
  for (const name of names) {
    const { spec } = await store.get("Node", { name });
    const wanted = verb === "cordon";
    if (spec.unschedulable === wanted) session.print(`node.vendetta.dev/${name} already ${verb}ed`);
    else {
      await store.patch("Node", { name }, { type: "merge", patch: { spec: { unschedulable: wanted } } });
      session.print(`node.vendetta.dev/${name} ${verb}ed`);
    }
  }
}

export interface NodeDrainOptions {
  readonly timeout?: string | undefined;
}

/** Cordons a Node, then stops its Workspaces gracefully. A placed Workspace stays on its Node, with its disk. */
export async function nodeDrain(session: Session, name: string, options: NodeDrainOptions): Promise<void> {
  const timeoutMs = durationArgument(options.timeout ?? "5m");
  const store = await session.connect();
  await nodeCordon(session, "cordon", [name]);
  const placed = await placedOn(store, name);
  const running = placed.filter(({ spec, metadata }) => spec.state !== "Stopped" && metadata.deletionTimestamp === undefined);
  const stopped: Workspace[] = [];
  for (const { metadata } of running) {
    try {
      stopped.push(await store.patch("Workspace", metadata, { type: "merge", patch: { metadata: { uid: metadata.uid }, spec: { state: "Stopped" } } }));
    } catch (error) {
      // Deleted meanwhile: it goes by itself.
      if (!isNotFound(error)) throw error;
    }
  }
  await waitUntilSettled(session, store, stopped.map(({ kind, metadata: { namespace, name: workspace } }) => ({ kind, namespace, name: workspace })), timeoutMs);
  for (const each of stopped) session.print(`workspace.vendetta.dev/${shortName(each)} stopped`);
  session.print(`node.vendetta.dev/${name} drained`);
  if (stopped.length === 0) return;
  const movable = stopped.filter(({ spec }) => spec.nodeName === undefined && spec.nodeSelector === undefined);
  session.tell(`Stopped, not moved: a Workspace stays on the Node that has its disk. After 'vendetta node uncordon ${name}', start each again with 'vendetta workspace up NAME'.`);
  if (movable.length > 0) session.tell(`${movable.map(shortName).join(", ")} may run on any Node: deleted and applied again, ${movable.length === 1 ? "it comes" : "they come"} up elsewhere, without what is on the disk here.`);
}

import type { AnyObject } from "../../api/registry.ts";
import { findCondition } from "../../api/conditions.ts";
import type { Node } from "../../api/node.ts";
import { schedule } from "../../api/schedule.ts";
import type { Workspace } from "../../api/workspace.ts";
import { awaitObjects, type AwaitedObject } from "../await-objects.ts";
import { durationArgument } from "../duration-argument.ts";
import { placedOn, shortName } from "../node-reach.ts";
import { createPerson } from "../person.ts";
import { createProgress } from "../progress.ts";
import type { Verdict } from "../readiness.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { CliError } from "../world.ts";

/** Says whether new Workspaces may be placed on a Node. To say that they may ends a drain, too. */
export async function nodeCordon(session: Session, verb: "cordon" | "uncordon", names: readonly string[]): Promise<void> {
  const store = await session.connect();
  for (const name of names) {
    const { spec } = await store.get("Node", { name });
    const unschedulable = verb === "cordon";
    const wasDrained = !unschedulable && spec.drain !== undefined;
    if (spec.unschedulable === unschedulable && !wasDrained) session.print(`node.vendetta.dev/${name} already ${verb}ed`);
    else {
      await store.patch("Node", { name }, { type: "merge", patch: { spec: { unschedulable, ...(wasDrained ? { drain: null } : {}) } } });
      session.print(`node.vendetta.dev/${name} ${verb}ed`);
    }
  }
}

export interface NodeDrainOptions {
  readonly timeout?: string | undefined;
  readonly move?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

type Move = NonNullable<Node["spec"]["drain"]>["move"];

/**
 * Wishes that nothing runs on a Node, and waits until its loops have done so: what may be made anew elsewhere is moved, the rest is stopped.
 * The wish stays until the Node is uncordoned, whether or not the wait was long enough.
 */
export async function nodeDrain(session: Session, name: string, options: NodeDrainOptions): Promise<void> {
  const timeoutMs = durationArgument(options.timeout ?? "5m");
  const store = await session.connect();
  await store.get("Node", { name });
  const move: Move = options.move === true ? "Any" : "WhereAllowed";
  const concerned = (await placedOn(store, name)).filter((each) => each.metadata.deletionTimestamp === undefined && (each.spec.state !== "Stopped" || isMovable(each, move)));
  const unasked = concerned.filter((each) => isMovable(each, move) && each.spec.failover === undefined);
  if (unasked.length > 0) await agree(session, name, unasked, options.yes === true);
  await store.patch("Node", { name }, { type: "merge", patch: { spec: { unschedulable: true, drain: { move } } } });
  session.print(`node.vendetta.dev/${name} cordoned`);
  const states = await settle(session, name, concerned, move, timeoutMs);
  for (const { target, verdict } of states) if (verdict.done) session.print(`workspace.vendetta.dev/${shortName({ metadata: target })} ${verdict.state.toLowerCase() === "stopped" ? "stopped" : verdict.state}`);
  refuseLate(name, states, timeoutMs);
  session.print(`node.vendetta.dev/${name} drained`);
  const [nodes, workspaces] = await Promise.all([store.list("Node"), store.list("Workspace")]);
  tellRest(session, name, { nodes: nodes.items.filter((each) => each.metadata.name !== name), workspaces: workspaces.items }, concerned, states, move);
}

const isMovable = ({ spec }: Workspace, move: Move) => spec.nodeName === undefined && (move === "Any" || (spec.failover !== undefined && spec.state === "Running"));

/** @throws CliError when it is not wished */
async function agree(session: Session, name: string, workspaces: readonly Workspace[], yes: boolean): Promise<void> {
  session.tell(`Moved to other Nodes: ${workspaces.map(shortName).join(", ")}. What is only on ${workspaces.length === 1 ? "its disk" : "their disks"} is lost; volumes stay behind on Node "${name}", and new ones elsewhere are empty.`);
  if (yes) return;
  const person = createPerson(session.world, session.signal, () => {});
  if (!person.isThere) throw new CliError(`Nobody is there to be asked; if all that may be lost, add --yes to 'vendetta node drain ${name} --move'`);
  if (!(await person.confirm("Move them?"))) throw new CliError(`Node "${name}" was not drained; nothing was changed`);
}

async function settle(session: Session, name: string, concerned: readonly Workspace[], move: Move, timeoutMs: number): Promise<readonly AwaitedObject[]> {
  const store = await session.connect();
  const uids = new Map(concerned.map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, metadata.uid]));
  const targets = concerned.map(({ kind, metadata: { namespace, name: workspace } }) => ({ kind, namespace, name: workspace }));
  using progress = createProgress(session);
  return await awaitObjects(store, targets, {
    clock: session.world.clock, timeoutMs, signal: session.signal,
    judge: (object, target) => judge(object, uids.get(`${target.namespace}/${target.name}`), name, move),
    onChange: (now) => progress.update(now),
  });
}

/** Whether a Workspace has left the Node, or is stopped there as it should be. */
function judge(object: AnyObject | undefined, uid: string | undefined, node: string, move: Move): Verdict {
  if (object?.kind !== "Workspace" || object.metadata.uid !== uid) return { done: true, state: "deleted", message: "" };
  const { status, spec } = object;
  if (status?.nodeName !== node) return { done: true, state: status?.nodeName === undefined ? "let go" : `moved to ${status.nodeName}`, message: "" };
  const ready = findCondition(status.conditions, "Ready");
  const phase = status.phase ?? "Pending";
  const asked = spec.state === "Stopped" && !isMovable(object, move);
  return { done: phase === "Stopped" && (asked || ready?.reason === "NodeDrained"), state: phase, message: ready?.message ?? "" };
}

const listedMax = 20;

/** @throws CliError when some still run */
function refuseLate(name: string, states: readonly AwaitedObject[], timeoutMs: number): void {
  const late = states.filter((each) => !each.verdict.done);
  if (late.length === 0) return;
  const lines = late.slice(0, listedMax).map(({ target, verdict }) => `  workspace/${target.name}: ${verdict.state}${verdict.message === "" ? "" : `: ${printable(verdict.message)}`}`);
  if (late.length > listedMax) lines.push(`  … and ${late.length - listedMax} more`);
  throw new CliError(`Node "${name}" is not drained after ${timeoutMs / 1000} s, ${late.length} of ${states.length} Workspaces are not stopped or moved:\n${lines.join("\n")}\nThe drain goes on by itself; 'vendetta node uncordon ${name}' ends it`);
}

/** What is known of the cluster once the drain is over. */
interface Elsewhere {
  /** All Nodes but the one that is drained. */
  readonly nodes: readonly Node[];
  readonly workspaces: readonly Workspace[];
}

interface Fit {
  readonly workspace: Workspace;
  /** Why no other Node takes it; undefined: one does. */
  readonly refusal: string | undefined;
}

/** Which of them would find a place elsewhere, one after the other, as their loop would choose: what one takes is no room for the next. */
function fitElsewhere(wanted: readonly Workspace[], { nodes, workspaces }: Elsewhere): readonly Fit[] {
  const placed = new Map(nodes.map(({ metadata: { name } }) => [name, workspaces.filter((each) => each.status?.nodeName === name)]));
  return wanted.map((workspace) => {
    if (nodes.length === 0) return { workspace, refusal: "there is no other" };
    const placement = schedule(workspace, nodes, (nodeName) => placed.get(nodeName) ?? []);
    if (placement.kind === "unplaced") return { workspace, refusal: placement.message };
    placed.get(placement.nodeName)!.push(workspace);
    return { workspace, refusal: undefined };
  });
}

function tellRest(session: Session, name: string, elsewhere: Elsewhere, concerned: readonly Workspace[], states: readonly AwaitedObject[], move: Move): void {
  const stopped = concerned.filter((_, i) => states[i]!.verdict.state === "Stopped");
  if (stopped.length === 0) return;
  const stuck = stopped.filter((each) => isMovable(each, move));
  const free = stopped.filter((each) => each.spec.nodeName === undefined && !isMovable(each, move));
  session.tell(`What is stopped keeps its disk, and starts again with 'vendetta node uncordon ${name}'.`);
  const fits = fitElsewhere(free, elsewhere);
  const able = fits.filter(({ refusal }) => refusal === undefined).map(({ workspace }) => workspace);
  const unable = fits.filter(({ refusal }) => refusal !== undefined);
  for (const { workspace, refusal } of unable.slice(0, listedMax)) session.tell(`No other Node could take ${shortName(workspace)} now: ${printable(refusal!)}.`);
  if (unable.length > listedMax) session.tell(`Nor ${unable.length - listedMax} more.`);
  if (able.length > 0) session.tell(`${able.map(shortName).join(", ")} may run on other Nodes: 'vendetta node drain ${name} --move' makes ${able.length === 1 ? "it" : "them"} anew there, without what is on the disk here.`);
  if (stuck.length === 0) return;
  const why = states[concerned.indexOf(stuck[0]!)]!.verdict.message;
  session.tell(`Not moved, as nothing fits now: ${stuck.map(shortName).join(", ")} (${printable(why)}). ${stuck.length === 1 ? "It goes" : "They go"} as soon as a Node does.`);
}

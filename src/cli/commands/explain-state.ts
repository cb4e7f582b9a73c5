import { findCondition } from "../../api/conditions.ts";
import { humanDuration } from "../../api/human-duration.ts";
import type { Node } from "../../api/node.ts";
import { packagesFor } from "../../api/provider-packages.ts";
import type { AnyObject, KindMap, KindName } from "../../api/registry.ts";
import type { Service } from "../../api/service.ts";
import type { Source } from "../../api/source.ts";
import { orNone } from "../../api/status-error.ts";
import { isRefusedForGood } from "../../api/workspace-end.ts";
import type { Workspace } from "../../api/workspace.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { byTime, eventTime } from "../event-rows.ts";
import { resourceArgs } from "../kind-words.ts";
import { settled } from "../readiness.ts";
import { nodeHint } from "../node-hint.ts";
import type { Session } from "../session.ts";
import { sourceHint } from "../source-hint.ts";
import { printable } from "../style.ts";
import { CliError } from "../world.ts";
import { roomOf } from "./get.ts";

const depthMax = 20;

/** Tells why an object is not Ready: itself, then what it waits for, each step indented, down to the cause. */
export async function explainState(session: Session, args: readonly string[]): Promise<void> {
  const { named } = resourceArgs(args);
  if (named.length !== 1) throw new CliError("say which object, as KIND NAME or KIND/NAME");
  const { kind, name } = named[0]!;
  const store = await session.connect();
  const object = await store.get(kind, { namespace: roomOf(session, kind), name });
  await tellObject({ session, store, told: new Set() }, object, 0);
}

interface Telling {
  readonly session: Session;
  readonly store: HttpStore;
  /** What has been told is not told again: two services may wait for the same third. */
  readonly told: Set<string>;
}

async function tellObject(telling: Telling, object: AnyObject, depth: number): Promise<void> {
  const { kind, metadata } = object;
  const key = `${kind}/${metadata.name}`;
  const verdict = settled(object);
  const again = telling.told.has(key);
  const mark = verdict.done ? telling.session.outStyle.good("✓") : telling.session.outStyle.bad("✗");
  line(telling, depth, `${mark} ${kind} ${metadata.name}: ${verdict.state}${verdict.message === "" ? "" : `: ${verdict.message}`}${again && !verdict.done ? " (see above)" : ""}`);
  if (again || depth >= depthMax) return;
  telling.told.add(key);
  switch (object.kind) {
    case "Service":
      return await tellService(telling, object, verdict.done, depth + 1);
    case "Workspace":
      return await tellWorkspace(telling, object, verdict.done, depth + 1);
    case "Node":
      return tellNode(telling, object, depth + 1);
    case "Source":
      return tellSource(telling, object, depth + 1);
    case "Namespace":
    case "Pod":
    case "Event":
    case "Lease":
      return;
  }
}

async function tellService(telling: Telling, { metadata: { namespace, name }, spec, status }: Service, done: boolean, depth: number): Promise<void> {
  const { session } = telling;
  const exit = status?.lastExit;
  if (exit !== undefined) {
    const how = [exit.reason, exit.code === undefined ? undefined : `exit code ${exit.code}`, exit.signal].filter((each) => each !== undefined).join(", ");
    line(telling, depth, `- last exit: ${how}${exit.finishedAt === undefined ? "" : ` at ${exit.finishedAt}`}${exit.message === undefined ? "" : `: ${exit.message}`}`);
  }
  if ((status?.failures ?? 0) > 0) line(telling, depth, `- failures in a row: ${status?.failures}`);
  if (status?.nextRestartTime !== undefined) line(telling, depth, `- next start: ${inTime(session, status.nextRestartTime)}`);
  if (done) return;
  for (const dependency of spec.dependsOn) {
    const other = await find(telling.store, "Service", namespace, dependency.name);
    if (other === undefined) line(telling, depth, `✗ Service ${dependency.name}, which must be ${dependency.condition}: does not exist; apply it, or take it out of dependsOn`);
    else await tellObject(telling, other, depth);
  }
  const workspace = await find(telling.store, "Workspace", namespace, spec.workspace);
  if (workspace === undefined) line(telling, depth, `✗ Workspace ${spec.workspace}: does not exist; apply it, or correct spec.workspace`);
  else await tellObject(telling, workspace, depth);
  const room = namespace === undefined || namespace === "default" ? "" : ` -n ${namespace}`;
  if (status?.pid !== undefined || exit !== undefined) line(telling, depth, `→ what it wrote: vendetta logs ${name}${room}${status?.pid === undefined ? "" : " (or --previous, of the run before)"}`);
}

async function tellWorkspace(telling: Telling, { metadata, spec, status }: Workspace, done: boolean, depth: number): Promise<void> {
  for (const remark of status?.remarks ?? []) line(telling, depth, `- ${remark}`);
  if ((status?.restarts ?? 0) > 0) line(telling, depth, `- brought back ${status?.restarts === 1 ? "once" : `${status?.restarts} times`}${status?.phase === "CrashLoopBackOff" ? "" : await lastLoss(telling, metadata)}`);
  for (const type of ["Scheduled", "Created", "Started", "Snapshots"]) {
    const condition = findCondition(status?.conditions, type);
    if (condition !== undefined && condition.status !== "True") line(telling, depth, `- ${type} is ${condition.status}: ${condition.reason}: ${condition.message}`);
  }
  const refused = isRefusedForGood({ metadata, status });
  if (refused) line(telling, depth, "→ its engine refuses this spec: it is tried again when it has been changed and applied");
  else if ((status?.failures ?? 0) > 0) line(telling, depth, `- failures in a row: ${status?.failures}`);
  if (status?.nextRetryTime !== undefined) line(telling, depth, `- next try: ${inTime(telling.session, status.nextRetryTime)}`);
  if (done && spec.state === "Stopped") line(telling, depth, `→ it is stopped on purpose; start it with: vendetta workspace up ${metadata.name}`);
  if (done) return;
  const nodeName = status?.nodeName ?? spec.nodeName;
  const nodes = nodeName === undefined ? (await telling.store.list("Node")).items : [await find(telling.store, "Node", undefined, nodeName)].filter((each) => each !== undefined);
  if (nodes.length === 0) line(telling, depth, nodeName === undefined ? "✗ there is no Node" : `✗ Node ${nodeName}: does not exist`);
  for (const node of nodes) {
    await tellObject(telling, node, depth);
    const provider = node.status?.providers?.find((each) => each.name === spec.provider);
    if (provider?.usable === true) continue;
    line(telling, depth + 1, `- ${spec.provider} is not usable there: ${provider?.message ?? provider?.reason ?? "it has not been looked for yet"}`);
    const packages = packagesFor(spec.provider);
    if (provider?.reason === "NotInstalled" && packages !== undefined) line(telling, depth + 1, `→ on Debian, install it there with: apt-get install ${packages}`);
  }
}

/** How its instance was lost the last time, as long as there is an event of it. */
async function lastLoss({ store, session }: Telling, { namespace, uid }: Workspace["metadata"]): Promise<string> {
  const events = await store.list("Event", { namespace, fields: [{ path: "involvedObject.uid", equal: true, value: uid }] });
  const last = byTime(events.items.filter(({ reason = "" }) => ["InstanceEnded", "InstanceLost", "Broken"].includes(reason))).at(-1);
  return last === undefined ? "" : `; last ${humanDuration(session.world.clock.now() - Date.parse(eventTime(last)))} ago: ${last.message}`;
}

function tellSource(telling: Telling, source: Source, depth: number): void {
  const { problems = [], problemCount = 0, heldPrune, conditions } = source.status ?? {};
  for (const { file, line: at, message } of problems) line(telling, depth, `- ${file === "" ? "" : `${[file, at].filter((each) => each !== undefined).join(":")}: `}${message}`);
  if (problemCount > problems.length) line(telling, depth, `- … and ${problemCount - problems.length} more problems`);
  if (heldPrune !== undefined) line(telling, depth, `- deletions that wait for an approval: ${heldPrune.objects.join(", ")}${heldPrune.count > heldPrune.objects.length ? ` and ${heldPrune.count - heldPrune.objects.length} more` : ""}`);
  const [ready, fetched] = ["Ready", "Fetched"].map((type) => findCondition(conditions, type));
  if (fetched !== undefined && fetched.status !== "True" && fetched.message !== ready?.message) line(telling, depth, `- Fetched is ${fetched.status}: ${fetched.reason}: ${fetched.message}`);
  const hint = sourceHint(source);
  if (hint !== undefined) line(telling, depth, `→ ${hint}`);
}

function tellNode(telling: Telling, node: Node, depth: number): void {
  const { spec, status } = node;
  if (spec.unschedulable) line(telling, depth, "- it is cordoned: nothing new is placed here");
  if (status?.lastHeartbeatTime !== undefined) line(telling, depth, `- last answered: ${humanDuration(telling.session.world.clock.now() - Date.parse(status.lastHeartbeatTime))} ago`);
  const hint = nodeHint(node);
  if (hint !== undefined) line(telling, depth, `→ ${hint}`);
}

function inTime({ world: { clock } }: Session, time: string): string {
  const ms = Date.parse(time) - clock.now();
  return ms > 0 ? `in ${humanDuration(ms)}` : "now";
}

function line({ session }: Telling, depth: number, text: string): void {
  // The marks carry colours of our own; everything else has been printed through `printable` by its parts.
  session.print(`${"  ".repeat(depth)}${text.split("\u001b").map((part, i) => (i === 0 ? printable(part) : part)).join("\u001b").replaceAll("\n", " ")}`);
}

function find<K extends KindName>(store: HttpStore, kind: K, namespace: string | undefined, name: string): Promise<KindMap[K] | undefined> {
  return orNone(store.get(kind, { namespace, name }));
}

import { timestamp } from "../../base/clock.ts";
import { findCondition } from "../../api/conditions.ts";
import { humanDuration } from "../../api/human-duration.ts";
import type { SnapshotStatus, Workspace } from "../../api/workspace.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { durationArgument } from "../duration-argument.ts";
import { createPerson } from "../person.ts";
import { settled, type Verdict } from "../readiness.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { cellText, tableLines } from "../table-text.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";
import { CliError } from "../world.ts";

export interface SnapshotOptions {
  readonly delete?: boolean | undefined;
  readonly timeout?: string | undefined;
}

/** Wishes a snapshot into the Workspace's spec, or out of it, and waits until its loop has done so. A name is made of the time when none is given. */
export async function workspaceSnapshot(session: Session, name: string, given: string | undefined, options: SnapshotOptions): Promise<void> {
  const timeoutMs = durationArgument(options.timeout ?? "5m");
  const store = await session.connect();
  const workspace = await store.get("Workspace", { namespace: session.namespace, name });
  const snapshot = given ?? (options.delete === true ? undefined : timestamp(session.world.clock.now()).slice(0, 19).replace("T", "-").replaceAll(":", ""));
  if (snapshot === undefined) throw new CliError(`--delete: say which snapshot; 'vendetta workspace snapshots ${name}' lists them`);
  if (options.delete === true) return await drop(session, store, workspace, snapshot, timeoutMs);
  await refuseWhereNone(store, workspace);
  const isWished = workspace.spec.snapshots.some((each) => each.name === snapshot);
  // To a list that nobody else changes in between: "-" is its end (RFC 6902).
  if (!isWished) await store.patch("Workspace", workspace.metadata, { type: "json", patch: [{ op: "add", path: "/spec/snapshots/-", value: { name: snapshot } }] });
  await wait(session, store, workspace, timeoutMs, (now) => {
    const entry = entryOf(now, snapshot);
    if (entry?.message !== undefined) return { done: false, final: true, state: "Failed", message: entry.message };
    return { done: entry?.createdTime !== undefined, state: entry?.createdTime === undefined ? "Snapshotting" : "Kept", message: entry?.createdTime === undefined ? `snapshot ${snapshot} has not been taken yet` : "" };
  });
  session.print(`workspace.vendetta.dev/${name} snapshot ${snapshot} ${isWished ? "is kept already" : "taken"}`);
}

async function drop(session: Session, store: HttpStore, workspace: Workspace, snapshot: string, timeoutMs: number): Promise<void> {
  const { metadata, spec } = workspace;
  const at = spec.snapshots.findIndex((each) => each.name === snapshot);
  if (at < 0) throw new CliError(`Workspace "${metadata.name}" has no snapshot ${snapshot}; 'vendetta workspace snapshots ${metadata.name}' lists those it has`);
  const path = `/spec/snapshots/${at}`;
  const isLastRestored = spec.restore?.snapshot === snapshot;
  // Its place in the list may have changed since it was read.
  await store.patch("Workspace", metadata, { type: "json", patch: [{ op: "test", path: `${path}/name`, value: snapshot }, { op: "remove", path }, ...(isLastRestored ? [{ op: "remove", path: "/spec/restore" } as const] : [])] });
  await wait(session, store, workspace, timeoutMs, (now) => {
    const gone = now !== undefined && entryOf(now, snapshot) === undefined;
    return { done: gone, state: gone ? "Removed" : "Removing", message: gone ? "" : `snapshot ${snapshot} has not been removed yet` };
  });
  session.print(`workspace.vendetta.dev/${metadata.name} snapshot ${snapshot} removed`);
}

export interface RestoreOptions {
  readonly yes?: boolean | undefined;
  readonly timeout?: string | undefined;
}

/** Wishes the disk back to a snapshot, once, and waits until it is and the Workspace is as before. */
export async function workspaceRestore(session: Session, name: string, snapshot: string, { yes, timeout }: RestoreOptions): Promise<void> {
  const timeoutMs = durationArgument(timeout ?? "5m");
  const store = await session.connect();
  const workspace = await store.get("Workspace", { namespace: session.namespace, name });
  await refuseWhereNone(store, workspace);
  const entry = entryOf(workspace, snapshot);
  if (entry?.createdTime === undefined || entry.message !== undefined) throw new CliError(`Workspace "${name}" has no snapshot ${snapshot}${entry?.message === undefined ? "" : ` (${printable(entry.message)})`}; 'vendetta workspace snapshots ${name}' lists those it has`);
  if (yes !== true) await agree(session, workspace, entry);
  const request = Math.max(workspace.spec.restore?.request ?? 0, workspace.status?.restored?.request ?? 0) + 1;
  await store.patch("Workspace", workspace.metadata, { type: "merge", patch: { spec: { restore: { snapshot, request } } } });
  await wait(session, store, workspace, timeoutMs, (now) => {
    const restored = now?.status?.restored;
    return restored?.snapshot === snapshot && restored.request === request ? undefined : { done: false, state: now?.status?.phase ?? "Pending", message: "its disk has not been put back yet" };
  });
  session.print(`workspace.vendetta.dev/${name} restored to snapshot ${snapshot}`);
}

async function agree(session: Session, { metadata }: Workspace, { name, createdTime }: SnapshotStatus): Promise<void> {
  const person = createPerson(session.world, session.signal, () => {});
  const age = humanDuration(session.world.clock.now() - Date.parse(createdTime!));
  const loss = `everything in Workspace "${metadata.name}" is stopped, and what was written to its own disk since snapshot ${name} was taken ${age} ago is lost`;
  if (!person.isThere) throw new CliError(`${loss}: say --yes when that is meant`);
  if (!(await person.confirm(`${loss[0]!.toUpperCase()}${loss.slice(1)}. Put it back?`))) throw new CliError("given up; nothing was changed");
}

/** What snapshots a Workspace has, the oldest first. */
export async function workspaceSnapshots(session: Session, name: string): Promise<void> {
  const store = await session.connect();
  const { status, spec } = await store.get("Workspace", { namespace: session.namespace, name });
  if (spec.snapshots.length === 0) return session.tell(`Workspace "${name}" has no snapshots; 'vendetta workspace snapshot ${name}' takes one`);
  const { clock, stdout } = session.world;
  const rows = spec.snapshots.map(({ name: snapshot }) => {
    const { createdTime, message } = status?.snapshots?.find((each) => each.name === snapshot) ?? { name: snapshot };
    const note = message ?? (createdTime === undefined ? "it has not been taken yet" : status?.restored?.snapshot === snapshot ? `put back ${humanDuration(clock.now() - Date.parse(status.restored.time))} ago` : "");
    return { createdTime: createdTime ?? "~", cells: [snapshot, createdTime === undefined ? "" : humanDuration(clock.now() - Date.parse(createdTime)), note] };
  });
  const sorted = rows.sort((a, b) => (a.createdTime < b.createdTime ? -1 : a.createdTime > b.createdTime ? 1 : 0)).map(({ cells }) => cells.map(cellText));
  for (const line of tableLines({ header: ["SNAPSHOT", "AGE", "MESSAGE"], rows: sorted }, { style: session.outStyle, header: true, columns: stdout.isTTY === true ? stdout.columns : undefined, wrapLast: true })) session.print(line);
}

const entryOf = (workspace: Workspace | undefined, name: string) => workspace?.status?.snapshots?.find((each) => each.name === name);

/** Before anything is wished that would only be told to be impossible. What a Node does not tell of is left to the loop. */
async function refuseWhereNone(store: HttpStore, { metadata, spec, status }: Workspace): Promise<void> {
  if (status?.nodeName === undefined) return;
  const node = await store.get("Node", { name: status.nodeName });
  const provider = node.status?.providers?.find((each) => each.name === spec.provider);
  if (provider?.features?.snapshots === false) throw new CliError(`Workspace "${metadata.name}" can have no snapshots: provider ${spec.provider} keeps none; copy what you want to keep, or use a provider that does ('vendetta node status ${status.nodeName}' tells)`);
}

/** @param judge undefined: done as far as it can tell, and the Workspace has to be as it is wished */
async function wait(session: Session, store: HttpStore, { kind, metadata }: Workspace, timeoutMs: number, judge: (now: Workspace | undefined) => Verdict | undefined): Promise<void> {
  await waitUntilSettled(session, store, [{ kind, namespace: metadata.namespace, name: metadata.name }], timeoutMs, (object) => {
    const now = object?.kind === "Workspace" ? object : undefined;
    if (now === undefined) return settled(object);
    const refused = findCondition(now.status?.conditions, "Snapshots");
    if (refused?.reason === "NotSupported") return { done: false, final: true, state: "NotSupported", message: refused.message };
    return judge(now) ?? settled(now);
  });
}

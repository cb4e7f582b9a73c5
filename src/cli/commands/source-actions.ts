import { approvedPruneAnnotation, syncRequestAnnotation } from "../../api/annotations.ts";
import { findCondition } from "../../api/conditions.ts";
import { isDeleting } from "../../api/meta.ts";
import { isKindName, type AnyObject } from "../../api/registry.ts";
import type { InventoryEntry, Source } from "../../api/source.ts";
import { timestampWithMs } from "../../base/clock.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { awaitGone, type DeleteTarget } from "../await-gone.ts";
import { awaitObjects } from "../await-objects.ts";
import { durationArgument } from "../duration-argument.ts";
import type { Verdict } from "../readiness.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { CliError } from "../world.ts";

export interface SourceWaitOptions {
  readonly timeout?: string | undefined;
}

/** Wishes that a Source is read at once, and waits until what was read is applied. @throws CliError with what keeps it from being so */
export async function sourceSync(session: Session, name: string, { timeout }: SourceWaitOptions): Promise<void> {
  const timeoutMs = durationArgument(timeout ?? "60s");
  const store = await session.connect();
  const { spec } = await store.get("Source", { name });
  if (spec.suspend) throw suspended(name);
  await syncNow(session, store, name, {}, timeoutMs);
}

export async function sourceSuspend(session: Session, verb: "suspend" | "resume", name: string): Promise<void> {
  const store = await session.connect();
  const suspend = verb === "suspend";
  const { spec } = await store.get("Source", { name });
  if (spec.suspend === suspend) return session.print(`source.vendetta.dev/${name} already ${verb}${suspend ? "ed" : "d"}`);
  await store.patch("Source", { name }, { type: "merge", patch: { spec: { suspend } } });
  session.print(`source.vendetta.dev/${name} ${verb}${suspend ? "ed" : "d"}`);
}

/** Lets those deletions happen that the status tells of, and no others, and waits until they have. */
export async function sourceApprove(session: Session, name: string, { timeout }: SourceWaitOptions): Promise<void> {
  const timeoutMs = durationArgument(timeout ?? "60s");
  const store = await session.connect();
  const { spec, status } = await store.get("Source", { name });
  if (spec.suspend) throw suspended(name);
  const held = status?.heldPrune;
  if (held === undefined) throw new CliError(`Source "${name}" has no deletions that wait for an approval${nextStep(findCondition(status?.conditions, "PruneHeld"))}`);
  for (const each of held.objects) session.tell(`to be deleted: ${printable(each)}`);
  if (held.count > held.objects.length) session.tell(`to be deleted: ${held.count - held.objects.length} more`);
  const { clock } = session.world;
  const begunMs = clock.monotonic();
  await syncNow(session, store, name, { [approvedPruneAnnotation]: held.approval }, timeoutMs);
  const { status: now } = await store.get("Source", { name });
  const going = await goingOf(store, status?.inventory ?? [], now?.inventory ?? []);
  await awaitGone(session, store, going, Math.max(0, timeoutMs - (clock.monotonic() - begunMs)));
  if (going.length > 0) session.print(going.length === 1 ? "1 object had to stop first, and is gone" : `${going.length} objects had to stop first, and are gone`);
}

/** What is on record no more and still on its way out. What the Source has let go of stays. */
async function goingOf(store: HttpStore, before: readonly InventoryEntry[], now: readonly InventoryEntry[]): Promise<readonly DeleteTarget[]> {
  const kept = new Set(now.map(({ uid }) => uid));
  const left = before.filter(({ uid }) => uid !== undefined && !kept.has(uid));
  const uids = new Set(left.map(({ uid }) => uid));
  const places = new Map(left.flatMap(({ kind, namespace }) => (isKindName(kind) ? [[`${kind} ${namespace ?? ""}`, { kind, namespace }] as const] : [])));
  const lists = await Promise.all([...places.values()].map(({ kind, namespace }) => store.list(kind, { namespace })));
  const objects = lists.flatMap(({ items }): readonly AnyObject[] => items);
  return objects.filter((each) => uids.has(each.metadata.uid) && isDeleting(each)).map(({ kind, metadata: { namespace, name, uid } }) => ({ kind, namespace, name, uid }));
}

function suspended(name: string): CliError {
  return new CliError(`Source "${name}" is suspended; 'vendetta source resume ${name}' has it followed again`);
}

function nextStep(held: { readonly status: string; readonly message: string } | undefined): string {
  return held?.status === "True" ? `: ${printable(held.message)}` : "";
}

async function syncNow(session: Session, store: HttpStore, name: string, annotations: Readonly<Record<string, string>>, timeoutMs: number): Promise<void> {
  const { clock } = session.world;
  const request = timestampWithMs(clock.now());
  await store.patch("Source", { name }, { type: "merge", patch: { metadata: { annotations: { ...annotations, [syncRequestAnnotation]: request } } } });
  const [state] = await awaitObjects(store, [{ kind: "Source", name }], { clock, timeoutMs, signal: session.signal, judge: (object) => judge(object, request) });
  const { verdict } = state!;
  if (!verdict.done) throw new CliError(`Source "${name}" is not synced${verdict.final === true ? "" : ` after ${timeoutMs / 1000} s`}: ${printable(verdict.message)}`);
  session.print(`source.vendetta.dev/${name} synced: ${printable(verdict.message)}`);
}

function judge(object: AnyObject | undefined, request: string): Verdict {
  if (object?.kind !== "Source") return { done: false, final: true, state: "NotFound", message: "it has been deleted" };
  const { status }: Source = object;
  const ready = findCondition(status?.conditions, "Ready");
  const fetched = findCondition(status?.conditions, "Fetched");
  if (status?.lastSyncRequest !== request || ready === undefined) return { done: false, state: "Pending", message: fetched?.status === "Unknown" ? fetched.message : "it has not been read yet" };
  if (ready.status === "True") return { done: true, state: "Applied", message: staleNote(status.conditions) ?? `${ready.message} at ${status.lastAppliedRevision}` };
  const isOnItsWay = ready.reason === "Waiting" || ready.reason === "ApplyFailed" || ready.reason === "Changing";
  return { done: false, ...(isOnItsWay ? {} : { final: true }), state: ready.reason, message: ready.message };
}

function staleNote(conditions: NonNullable<Source["status"]>["conditions"]): string | undefined {
  const fetched = findCondition(conditions, "Fetched");
  return fetched?.status === "False" ? `as it was fetched last; ${fetched.message}` : undefined;
}

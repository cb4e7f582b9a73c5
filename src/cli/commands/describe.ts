import { stringify } from "yaml";
import type { Condition } from "../../api/conditions.ts";
import { humanDuration } from "../../api/human-duration.ts";
import type { AnyObject } from "../../api/registry.ts";
import { kindPaths } from "../../api/paths.ts";
import { lastAppliedAnnotation } from "../../api/three-way-merge.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { byTime, eventTable } from "../event-rows.ts";
import { resourceArgs } from "../kind-words.ts";
import { emptyHint } from "../not-found.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { cellText, tableLines, type TextTable } from "../table-text.ts";
import { roomOf } from "./get.ts";

const eventsMax = 20;

export async function describe(session: Session, args: readonly string[]): Promise<void> {
  const { kinds, named } = resourceArgs(args);
  const store = await session.connect();
  const objects: AnyObject[] = [];
  if (named.length > 0) for (const { kind, name } of named) objects.push(await store.get(kind, { namespace: roomOf(session, kind), name }));
  else for (const kind of kinds) objects.push(...(await store.list(kind, { namespace: roomOf(session, kind) })).items);
  if (objects.length === 0) {
    const namespaced = kinds.some((kind) => kindPaths[kind].namespaced);
    const noRoom = namespaced ? await emptyHint(session) : undefined;
    return session.tell(`No resources found${namespaced ? ` in ${session.namespace} namespace` : ""}.${noRoom === undefined ? "" : `\n${noRoom}`}`);
  }
  for (const [i, object] of objects.entries()) {
    if (i > 0) session.print("\n");
    await describeOne(session, store, object);
  }
}

async function describeOne(session: Session, store: HttpStore, object: AnyObject): Promise<void> {
  const { metadata, kind } = object;
  const now = session.world.clock.now();
  const { [lastAppliedAnnotation]: _note, ...annotations } = metadata.annotations ?? {};
  const line = (label: string, value: string) => session.print(`${`${label}:`.padEnd(14)}${printable(value)}`);
  line("Name", metadata.name);
  if (metadata.namespace !== undefined) line("Namespace", metadata.namespace);
  line("Kind", kind);
  pairs(line, "Labels", metadata.labels ?? {});
  pairs(line, "Annotations", annotations);
  line("Created", `${metadata.creationTimestamp} (${humanDuration(now - Date.parse(metadata.creationTimestamp))} ago)`);
  if (metadata.deletionTimestamp !== undefined) line("Deleting", `since ${metadata.deletionTimestamp}, until taken away: ${(metadata.finalizers ?? []).join(", ") || "nothing"}`);
  line("Generation", String(metadata.generation));
  const { status, ...rest } = object as AnyObject & { readonly status?: Readonly<Record<string, unknown>> };
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...body } = rest as unknown as Record<string, unknown>;
  for (const [part, value] of Object.entries(body)) section(session, part, value);
  const { conditions, ...other } = status ?? {};
  if (Object.keys(other).length > 0) section(session, "status", other);
  if (Array.isArray(conditions) && conditions.length > 0) table(session, "Conditions", conditionTable(conditions as Condition[], now));
  if (kind === "Event") return;
  const events = await store.list("Event", {
    namespace: metadata.namespace ?? "default",
    fields: [{ path: "involvedObject.kind", equal: true, value: kind }, { path: "involvedObject.name", equal: true, value: metadata.name }],
  });
  const latest = byTime(events.items.filter((event) => event.involvedObject.uid === undefined || event.involvedObject.uid === metadata.uid)).slice(-eventsMax);
  if (latest.length === 0) session.print("Events:       <none>");
  else table(session, "Events", eventTable(latest, now, { namespace: false, object: false }));
}

function pairs(line: (label: string, value: string) => void, label: string, values: Readonly<Record<string, string>>): void {
  const entries = Object.entries(values);
  if (entries.length === 0) line(label, "<none>");
  else line(label, entries.map(([key, value]) => `${key}=${value.replaceAll("\n", " ")}`).join(`\n${" ".repeat(14)}`));
}

function section(session: Session, name: string, value: unknown): void {
  session.print(`${name[0]!.toUpperCase()}${name.slice(1)}:`);
  const text = stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 }).trimEnd();
  session.print(printable(text).replace(/^/gm, "  "));
}

function table(session: Session, name: string, text: TextTable): void {
  const { stdout } = session.world;
  session.print(`${name}:`);
  const columns = stdout.isTTY === true && stdout.columns !== undefined ? stdout.columns - 2 : undefined;
  for (const each of tableLines(text, { style: session.outStyle, header: true, columns, wrapLast: true })) session.print(`  ${each}`);
}

function conditionTable(conditions: readonly Condition[], nowMs: number): TextTable {
  return {
    header: ["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"],
    rows: conditions.map(({ type, status, reason, message, lastTransitionTime }) => [type, status, reason, humanDuration(nowMs - Date.parse(lastTransitionTime)), cellText(message)]),
  };
}

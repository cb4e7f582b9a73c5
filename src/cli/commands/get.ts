import type { NamespacedName } from "../../base/keys.ts";
import { kindPaths } from "../../api/paths.ts";
import type { AnyObject, KindName } from "../../api/registry.ts";
import { isGone, isNotFound } from "../../api/status-error.ts";
import type { Table, TableColumn } from "../../api/table.ts";
import type { HttpStore, TableWish } from "../../client/http-store.ts";
import type { Selection, WatchEvent } from "../../store/store.ts";
import { resourceArgs, resourceName, type Named } from "../kind-words.ts";
import type { Sorter } from "../order-by.ts";
import { listOf, outputFormat, type OutputFormat, type Printable } from "../output.ts";
import type { SelectorOptions } from "../selector-options.ts";
import type { Session } from "../session.ts";
import { tableLines, textTable, type TextTable } from "../table-text.ts";
import { CliError, ExitError } from "../world.ts";

export interface GetOptions extends SelectorOptions {
  readonly allNamespaces?: boolean | undefined;
  readonly output?: string | undefined;
  readonly watch?: boolean | undefined;
  /** commander's --no-headers: false when given. */
  readonly headers?: boolean | undefined;
  readonly ignoreNotFound?: boolean | undefined;
  /** A JSONPath to order by. Default: the name. */
  readonly sortBy?: string | undefined;
  readonly showLabels?: boolean | undefined;
  readonly showManagedFields?: boolean | undefined;
}

export async function get(session: Session, args: readonly string[], options: GetOptions): Promise<void> {
  if (args[0] === "orphans" || args[0] === "orphan") {
    if (args.length > 1 || options.watch === true) throw new CliError("'get orphans' takes no names and no -w");
    const { orphans } = await import("./orphans.ts");
    return await orphans(session, options);
  }
  const { kinds, named } = resourceArgs(args);
  const format = await formatOf(session, options);
  const sorted = await sorterOf(options);
  if (named.length > 0 && (options.selector !== undefined || options.allNamespaces === true)) throw new CliError("a name cannot be given together with -l or -A");
  const store = await session.connect();
  // What changes comes last.
  if (options.watch === true && sorted !== undefined) session.tell("warning: -w shows objects as they change: --sort-by is ignored");
  if (options.watch === true) return await watchKind(session, store, kinds, named, options, format);
  if (format.type === "object") return await printObjects(session, store, kinds, named, options, sorted, format.render);
  if (named.length > 0) await printNamed(session, store, named, options, sorted, format.wide);
  else await printTables(session, store, kinds, options, sorted, format.wide);
}

/** As `outputFormat`, and `custom-columns=`: a table of objects, which only a list of them makes sense of. */
async function formatOf(session: Session, options: GetOptions): Promise<OutputFormat> {
  const prefix = "custom-columns=";
  if (options.output?.startsWith(prefix) !== true) return await outputFormat(options.output, options);
  const { parseCustomColumns } = await import("../custom-columns.ts");
  const tableOf = parseCustomColumns(options.output.slice(prefix.length));
  return { type: "object", render: (value) => textOf(session, options, tableOf(value.items ?? [value])) };
}

async function sorterOf({ sortBy }: GetOptions): Promise<Sorter | undefined> {
  if (sortBy === undefined) return undefined;
  const { orderBy } = await import("../order-by.ts");
  return orderBy(sortBy);
}

export function roomOf({ namespace }: Session, kind: KindName, allNamespaces = false): string | undefined {
  return kindPaths[kind].namespaced && !allNamespaces ? namespace : undefined;
}

/** Selectors are read by code that is loaded only for them. */
async function selectionFor(session: Session, kind: KindName, options: GetOptions): Promise<Selection> {
  const namespace = roomOf(session, kind, options.allNamespaces);
  if (options.selector === undefined && options.fieldSelector === undefined) return { namespace };
  const { selectionOf } = await import("../selector-options.ts");
  return selectionOf(namespace, options);
}

const refOf = (session: Session, { kind, name }: Named): NamespacedName => ({ namespace: roomOf(session, kind), name });

async function printObjects(session: Session, store: HttpStore, kinds: readonly KindName[], named: readonly Named[], options: GetOptions, sorted: Sorter | undefined, render: (value: Printable) => string): Promise<void> {
  if (named.length === 0) {
    const lists = await Promise.all(kinds.map(async (kind) => await store.list(kind, await selectionFor(session, kind, options))));
    session.world.stdout.write(render(listOf(orderedObjects(lists.flatMap((list): readonly AnyObject[] => list.items), sorted))));
    return;
  }
  const { found, missing } = await readNamed(session, named, options, (each) => store.get(each.kind, refOf(session, each)));
  if (named.length > 1) session.world.stdout.write(render(listOf(orderedObjects(found, sorted))));
  else if (found[0] !== undefined) session.world.stdout.write(render(found[0]));
  if (missing) throw new ExitError(1);
}

const orderedObjects = (items: readonly AnyObject[], sorted: Sorter | undefined): readonly AnyObject[] => sorted?.([items], (item) => item)[0] ?? items;

/** With the rows of each in order. */
function orderedTables(tables: readonly Table[], sorted: Sorter | undefined): readonly Table[] {
  const rows = sorted?.(tables.map((table) => table.rows), (row) => row.object);
  return rows === undefined ? tables : tables.map((table, i) => ({ ...table, rows: rows[i]! }));
}

/** Rows are ordered by their objects. */
const tableWish = (sorted: Sorter | undefined): TableWish => (sorted === undefined ? {} : { includeObject: "Object" });

/** Those that exist; the others are told on stderr, and are missing unless they may be. */
async function readNamed<T>(session: Session, named: readonly Named[], { ignoreNotFound }: GetOptions, read: (each: Named) => Promise<T>): Promise<{ readonly found: readonly T[]; readonly missing: boolean }> {
  const found: T[] = [];
  let missing = false;
  for (const each of named) {
    try {
      found.push(await read(each));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (ignoreNotFound === true) continue;
      missing = true;
      const [{ errorLine }, { explained }] = await Promise.all([import("../error-line.ts"), import("../not-found.ts")]);
      session.tell(errorLine(await explained(session, error)));
    }
  }
  return { found, missing };
}

async function printNamed(session: Session, store: HttpStore, named: readonly Named[], options: GetOptions, sorted: Sorter | undefined, wide: boolean): Promise<void> {
  const { found, missing } = await readNamed(session, named, options, async (each) => ({ kind: each.kind, table: await store.getTable(each.kind, refOf(session, each), tableWish(sorted)) }));
  const kinds = [...new Set(found.map((each) => each.kind))];
  const tables = kinds.map((kind): Table => {
    const ofKind = found.filter((each) => each.kind === kind).map((each) => each.table);
    return { ...ofKind[0]!, rows: ofKind.flatMap((table) => table.rows) };
  });
  printTexts(session, options, orderedTables(tables, sorted).map((table, i) => textTable(table, { wide, withNamespace: false, prefix: kinds.length > 1 ? `${resourceName(kinds[i]!)}/` : "", withLabels: options.showLabels })));
  if (missing) throw new ExitError(1);
}

async function printTables(session: Session, store: HttpStore, kinds: readonly KindName[], options: GetOptions, sorted: Sorter | undefined, wide: boolean): Promise<void> {
  const tables = await Promise.all(kinds.map(async (kind) => await store.listTable(kind, { ...(await selectionFor(session, kind, options)), ...tableWish(sorted) })));
  const texts = orderedTables(tables, sorted).flatMap((table, i): TextTable[] => {
    const kind = kinds[i]!;
    return table.rows.length === 0 ? [] : [textTable(table, { wide, withNamespace: options.allNamespaces === true && kindPaths[kind].namespaced, prefix: kinds.length > 1 ? `${resourceName(kind)}/` : "", withLabels: options.showLabels })];
  });
  if (texts.length === 0) await tellEmpty(session, kinds, options);
  else printTexts(session, options, texts);
}

function printTexts(session: Session, options: GetOptions, texts: readonly TextTable[]): void {
  if (texts.length > 0) session.world.stdout.write(texts.map((text) => textOf(session, options, text)).join("\n"));
}

function textOf({ world: { stdout }, outStyle }: Session, { headers }: GetOptions, text: TextTable): string {
  const columns = stdout.isTTY === true ? stdout.columns : undefined;
  return tableLines(text, { style: outStyle, header: headers !== false, columns }).map((line) => `${line}\n`).join("");
}

async function tellEmpty(session: Session, kinds: readonly KindName[], { allNamespaces, selector, fieldSelector }: GetOptions): Promise<void> {
  const namespaced = kinds.some((kind) => kindPaths[kind].namespaced);
  session.tell(namespaced && allNamespaces !== true ? `No resources found in ${session.namespace} namespace.` : "No resources found.");
  const { emptyHint } = await import("../not-found.ts");
  const noRoom = namespaced && allNamespaces !== true ? await emptyHint(session) : undefined;
  if (noRoom !== undefined) session.tell(noRoom);
  else if (selector !== undefined || fieldSelector !== undefined) session.tell("Leave the selector out to see all of them.");
  else if (kinds.every((kind) => kind === "Event")) session.tell("Events are kept for an hour.");
  else if (namespaced) session.tell(`Apply a manifest with 'vendetta apply -f FILE'${allNamespaces === true ? "" : ", or look into all namespaces with -A"}; 'vendetta quickstart up' has an example.`);
}

async function watchKind(session: Session, store: HttpStore, kinds: readonly KindName[], named: readonly Named[], options: GetOptions, format: OutputFormat): Promise<void> {
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1 || named.length > 1) throw new CliError("-w watches one kind, or one object of it");
  const name = named[0]?.name;
  const base = await selectionFor(session, kind, options);
  const selection = name === undefined ? base : { ...base, fields: [...(base.fields ?? []), { path: "metadata.name", equal: true, value: name }] };
  const printer = format.type === "table" ? tableStream(session, options, format.wide, kind) : undefined;
  while (!session.signal.aborted) {
    try {
      if (printer !== undefined) {
        const table = await store.listTable(kind, selection);
        printer(table);
        for await (const event of store.watchTable(kind, { ...selection, from: table.metadata.resourceVersion }, session.signal)) if (event.type !== "BOOKMARK") printer(event.table);
      } else if (format.type === "object") {
        const list = await store.list(kind, selection);
        for (const object of list.items) session.world.stdout.write(format.render(object));
        for await (const event of store.watch(kind, { ...selection, from: list.resourceVersion }, session.signal) as AsyncIterable<WatchEvent<AnyObject>>) if (event.type !== "BOOKMARK") session.world.stdout.write(format.render(event.object));
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

/** Prints tables below each other; columns never get narrower, so that they stay aligned. */
function tableStream(session: Session, { headers, allNamespaces, showLabels }: GetOptions, wide: boolean, kind: KindName): (table: Table) => void {
  let columns: readonly TableColumn[] = [];
  let widths: number[] = [];
  let headed = headers === false;
  return (table) => {
    if (table.columnDefinitions.length > 0) columns = table.columnDefinitions;
    const { header, rows } = textTable(table, { wide, withNamespace: allNamespaces === true && kindPaths[kind].namespaced, prefix: "", withLabels: showLabels }, columns);
    if (rows.length === 0) return;
    const lines = headed ? rows : [header, ...rows];
    widths = header.map((_, i) => Math.max(widths[i] ?? 0, header[i]!.length, ...lines.map((line) => line[i]?.length ?? 0)));
    for (const line of lines) session.print(line.map((cell, i) => (i === line.length - 1 ? cell : cell.padEnd(widths[i]!))).join("   ").trimEnd());
    headed = true;
  };
}

import type { Clock } from "../base/clock.ts";
import { humanDuration } from "../api/human-duration.ts";
import { formatJsonPathValue, parseJsonPath, type JsonPath } from "../api/jsonpath.ts";
import type { KindDefinition, PrinterColumn } from "../api/kind.ts";
import type { StoredObject } from "../api/meta.ts";
import { kinds, type KindName } from "../api/registry.ts";
import type { Table, TableCell, TableColumn, TableRow } from "../api/table.ts";
import type { Query } from "./query.ts";

/** What a row carries besides its cells. */
export type IncludeObject = "None" | "Metadata" | "Object";

export function includeObjectOf(query: Query): IncludeObject {
  return query.oneOf("includeObject", ["None", "Metadata", "Object"] as const) ?? "Metadata";
}

interface Printer {
  readonly columns: readonly TableColumn[];
  readonly cellsOf: (object: StoredObject, nowMs: number) => readonly TableCell[];
}

const printers = new Map<KindName, Printer>();

function printerOf(kindName: KindName): Printer {
  let printer = printers.get(kindName);
  if (printer === undefined) printers.set(kindName, (printer = createPrinter(kinds[kindName] as KindDefinition<never>)));
  return printer;
}

function createPrinter(kind: KindDefinition<never>): Printer {
  const paths = kind.printerColumns.map((column) => ({ column, path: parseJsonPath(column.jsonPath) }));
  const name: TableColumn = { name: "Name", type: "string", format: "name", description: "Name of the object, unique among its kind in its namespace.", priority: 0 };
  const columns = kind.printerColumns.map((column) => ({ name: column.name, type: column.type, format: "", description: column.description ?? `Value of ${column.jsonPath}.`, priority: column.priority ?? 0 }));
  const { cellsOf } = kind as unknown as KindDefinition;
  if (cellsOf !== undefined) return { columns: [name, ...columns], cellsOf: (object, nowMs) => [object.metadata.name, ...cellsOf(object, nowMs)] };
  return {
    columns: [name, ...columns],
    cellsOf: (object, nowMs) => [object.metadata.name, ...paths.map(({ column, path }) => cell(column, path, object, nowMs))],
  };
}

function cell(column: PrinterColumn, path: JsonPath, object: StoredObject, nowMs: number): TableCell {
  const values = path(object).filter((value) => value !== undefined && value !== null);
  const [first] = values;
  if (first === undefined) return null;
  switch (column.type) {
    case "string":
      return values.map(formatJsonPathValue).join(",");
    case "integer":
    case "number":
      return typeof first === "number" ? first : null;
    case "boolean":
      return typeof first === "boolean" ? first : null;
    case "date": {
      const ms = typeof first === "string" ? Date.parse(first) : NaN;
      return Number.isNaN(ms) ? "<invalid>" : humanDuration(nowMs - ms);
    }
  }
}

/** metav1.PartialObjectMetadata: an object without its body. */
export function partialObject(object: StoredObject, version = "v1"): { readonly kind: string; readonly apiVersion: string; readonly metadata: StoredObject["metadata"] } {
  return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

export interface TableOptions {
  readonly clock: Clock;
  readonly include: IncludeObject;
  readonly version?: string | undefined;
  /** False: leave the column definitions out, for the later events of a watch. Default true. */
  readonly withColumns?: boolean;
}

/** The objects as a table. `metadata` is a list's. */
export function createTable(kindName: KindName, objects: readonly StoredObject[], metadata: Table["metadata"], { clock, include, version = "v1", withColumns = true }: TableOptions): Table {
  const printer = printerOf(kindName);
  const now = clock.now();
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${version}` as "meta.k8s.io/v1",
    metadata,
    columnDefinitions: withColumns ? printer.columns : [],
    rows: objects.map((object): TableRow => {
      const cells = printer.cellsOf(object, now);
      if (include === "None") return { cells };
      return { cells, object: include === "Object" ? object : partialObject(object, version) };
    }),
  };
}

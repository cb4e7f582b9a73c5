import type { Table, TableCell } from "../api/table.ts";
import { printable, stateStyle, type Style } from "./style.ts";

const gap = "   ";
/** No column is cut to less than this. Characters. */
const columnWidthMin = 10;

export interface TextTable {
  /** Upper case. */
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface TableLayout {
  readonly style: Style;
  readonly header: boolean;
  /** Width of the terminal; undefined: as wide as it gets, for a file or a pipe. */
  readonly columns?: number | undefined;
  /** Where the terminal is too narrow, the last column goes on in lines below, at words: it is a sentence that somebody needs. */
  readonly wrapLast?: boolean | undefined;
}

const styledColumns = new Set(["READY", "STATUS", "TYPE"]);

/** The table's lines, columns aligned; cells are cut with "…" where a terminal is too narrow. */
export function tableLines({ header, rows }: TextTable, { style, header: withHeader, columns, wrapLast = false }: TableLayout): readonly string[] {
  const lines = withHeader ? [header, ...rows] : rows;
  const widths = header.map((_, i) => Math.max(0, ...lines.map((line) => line[i]?.length ?? 0)));
  if (columns !== undefined) shrink(widths, columns);
  const cut = (text: string, width: number) => (text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`);
  const indent = " ".repeat(widths.slice(0, -1).reduce((sum, width) => sum + width + gap.length, 0));
  return lines.flatMap((whole, row) => {
    const [end = "", ...below] = wrapLast && columns !== undefined ? wrapped(whole.at(-1) ?? "", widths.at(-1)!) : [whole.at(-1)];
    const line = [...whole.slice(0, -1), end];
    const first = line
      .map((cell, i) => {
        const last = i === line.length - 1;
        const text = last && columns === undefined ? cell : cut(cell, widths[i]!);
        const padding = last ? "" : " ".repeat(widths[i]! - text.length) + gap;
        const coloured = withHeader && row === 0 ? style.bold(text) : styledColumns.has(header[i]!) ? stateStyle(style, cell)(text) : text;
        return coloured + padding;
      })
      .join("")
      .trimEnd();
    return [first, ...below.map((text) => indent + text)];
  });
}

/** The text in lines of at most so many characters, broken at spaces where it can be. */
function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const at = space > 0 ? space : width;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  return [...lines, rest];
}

/** Takes from the widest column, and of equals from the last, until the line fits. */
function shrink(widths: number[], columns: number): void {
  let over = widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1) - columns;
  while (over > 0) {
    const widest = widths.reduce((best, width, i) => (width >= widths[best]! ? i : best), 0);
    if (widths[widest]! <= columnWidthMin) return;
    widths[widest]!--;
    over--;
  }
}

/** A cell as kubectl prints it. Text from the outside cannot move the cursor. */
export function cellText(cell: TableCell | undefined): string {
  return cell === null || cell === undefined || cell === "" ? "<none>" : printable(String(cell)).replaceAll("\n", " ");
}

export interface FromServer {
  readonly wide: boolean;
  readonly withNamespace: boolean;
  /** Put before each name: `service.vendetta.dev/`. */
  readonly prefix: string;
  /** A last column with the labels. Default false. */
  readonly withLabels?: boolean | undefined;
}

/** A server's Table as text. `columns` are those of the first table when this one is of a later event. */
export function textTable(table: Table, { wide, withNamespace, prefix, withLabels = false }: FromServer, columns = table.columnDefinitions): TextTable {
  const shown = columns.map((column, i) => ({ column, i })).filter(({ column }) => wide || column.priority === 0);
  return {
    header: [...(withNamespace ? ["NAMESPACE"] : []), ...shown.map(({ column }) => column.name.toUpperCase()), ...(withLabels ? ["LABELS"] : [])],
    rows: table.rows.map(({ cells, object }) => [
      ...(withNamespace ? [object?.metadata.namespace ?? "<none>"] : []),
      ...shown.map(({ column, i }) => (column.format === "name" ? prefix : "") + cellText(cells[i])),
      ...(withLabels ? [cellText(Object.entries(object?.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`).sort().join(","))] : []),
    ]),
  };
}

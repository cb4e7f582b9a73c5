import { formatJsonPathValue, parseJsonPath, type JsonPath } from "../api/jsonpath.ts";
import { StatusError } from "../api/status-error.ts";
import { cellText, type TextTable } from "./table-text.ts";
import { CliError } from "./world.ts";

/** Makes a table of objects. */
export type CustomColumns = (objects: readonly object[]) => TextTable;

/**
 * What `-o custom-columns=NAME:.metadata.name,STATE:.status.phase` asks for. Several values of a path are joined with
 * commas, as kubectl does. @throws CliError
 */
export function parseCustomColumns(text: string): CustomColumns {
  const columns = splitOutsideBrackets(text).map((part) => {
    const colon = part.indexOf(":");
    if (colon <= 0 || colon === part.length - 1) throw new CliError(`-o custom-columns: "${part}" is not NAME:PATH, such as STATE:.status.phase`);
    return { name: part.slice(0, colon), path: pathOf(part.slice(colon + 1)) };
  });
  if (columns.length === 0) throw new CliError("-o custom-columns: say which, such as custom-columns=NAME:.metadata.name,STATE:.status.phase");
  return (objects) => ({
    header: columns.map((each) => each.name),
    rows: objects.map((object) => columns.map(({ path }) => cellText(path(object).filter((value) => value !== undefined && value !== null).map(formatJsonPathValue).join(",")))),
  });
}

/**
 * Orders items by the value at a path of their object: numbers by size, all else as text; those without one come first,
 * as in kubectl. @throws CliError when it is no path
 */
export function orderBy(text: string): <T>(items: readonly T[], objectOf: (item: T) => object | undefined) => readonly T[] {
  const path = pathOf(text, "--sort-by");
  return (items, objectOf) => items.map((item) => ({ item, value: path(objectOf(item))[0] })).sort((a, b) => compare(a.value, b.value)).map(({ item }) => item);
}

function compare(a: unknown, b: unknown): number {
  const rank = (value: unknown) => (value === undefined || value === null ? 0 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) === 0) return 0;
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [x, y] = [formatJsonPathValue(a), formatJsonPathValue(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function pathOf(text: string, option = "-o custom-columns"): JsonPath {
  try {
    // kubectl also takes a path without its leading dot.
    return parseJsonPath(/^[A-Za-z_]/.test(text) ? `.${text}` : text);
  } catch (error) {
    if (error instanceof StatusError) throw new CliError(`${option}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** A comma inside brackets, parentheses or quotes belongs to its path. */
function splitOutsideBrackets(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote: string | undefined;
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (i === text.length || (char === "," && depth === 0 && quote === undefined)) {
      if (i > from) parts.push(text.slice(from, i));
      from = i + 1;
    } else if (quote !== undefined) quote = char === quote ? undefined : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === "[" || char === "(" || char === "{") depth++;
    else if (char === "]" || char === ")" || char === "}") depth--;
  }
  return parts;
}

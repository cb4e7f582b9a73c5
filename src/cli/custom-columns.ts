import { formatJsonPathValue } from "../api/jsonpath.ts";
import { pathArgument } from "./path-argument.ts";
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
    return { name: part.slice(0, colon), path: pathArgument(part.slice(colon + 1), "-o custom-columns") };
  });
  if (columns.length === 0) throw new CliError("-o custom-columns: say which, such as custom-columns=NAME:.metadata.name,STATE:.status.phase");
  return (objects) => ({
    header: columns.map((each) => each.name),
    rows: objects.map((object) => columns.map(({ path }) => cellText(path(object).filter((value) => value !== undefined && value !== null).map(formatJsonPathValue).join(",")))),
  });
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

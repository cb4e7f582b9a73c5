import { formatJsonPathValue, parseJsonPath, type JsonPath } from "./jsonpath.ts";
import { StatusError } from "./status-error.ts";

type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "path"; readonly path: JsonPath }
  | { readonly type: "range"; readonly path: JsonPath; readonly parts: Part[] };

/** Writes the template out for one value. Several results of one path are joined with a blank, as kubectl does. */
export type JsonPathTemplate = (root: unknown) => string;

/**
 * Parses what `-o jsonpath=` takes: text with `{...}` in it: a path, a quoted text (`{"\n"}`), `{range .items[*]}` and
 * `{end}`. A template without braces is one path.
 * Source: kubernetes.io "JSONPath Support".
 * @throws StatusError BadRequest
 */
export function parseJsonPathTemplate(template: string): JsonPathTemplate {
  const top: Part[] = [];
  const open: Part[][] = [top];
  if (!template.includes("{")) top.push({ type: "path", path: parseJsonPath(template) });
  else {
    for (const piece of pieces(template)) {
      const into = open.at(-1)!;
      if (piece.type === "text") into.push(piece);
      else if (piece.code === "end") {
        if (open.length === 1) throw new StatusError("BadRequest", `Cannot parse JSONPath template: {end} without {range}`);
        open.pop();
      } else if (/^range\s/.test(piece.code)) {
        const range: Part = { type: "range", path: parseJsonPath(piece.code.slice(6)), parts: [] };
        into.push(range);
        open.push(range.parts);
      } else if (/^["']/.test(piece.code)) into.push({ type: "text", text: unquote(piece.code) });
      else into.push({ type: "path", path: parseJsonPath(piece.code) });
    }
    if (open.length > 1) throw new StatusError("BadRequest", "Cannot parse JSONPath template: {range} is not closed with {end}");
  }
  return (root) => render(top, root);
}

function render(parts: readonly Part[], value: unknown): string {
  let text = "";
  for (const part of parts) {
    if (part.type === "text") text += part.text;
    else if (part.type === "path") text += part.path(value).map(formatJsonPathValue).join(" ");
    else for (const each of part.path(value)) text += render(part.parts, each);
  }
  return text;
}

type Piece = { readonly type: "text"; readonly text: string } | { readonly type: "code"; readonly code: string };

function* pieces(template: string): Generator<Piece> {
  let at = 0;
  while (at < template.length) {
    const start = template.indexOf("{", at);
    if (start < 0) return yield { type: "text", text: template.slice(at) };
    if (start > at) yield { type: "text", text: template.slice(at, start) };
    const end = closingBrace(template, start + 1);
    yield { type: "code", code: template.slice(start + 1, end).trim() };
    at = end + 1;
  }
}

/** A brace inside quotes closes nothing. */
function closingBrace(template: string, from: number): number {
  let quote: string | undefined;
  for (let at = from; at < template.length; at++) {
    const char = template[at];
    if (char === "\\") at++;
    else if (quote !== undefined) quote = char === quote ? undefined : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === "}") return at;
  }
  throw new StatusError("BadRequest", `Cannot parse JSONPath template: a "{" is not closed in ${template}`);
}

function unquote(code: string): string {
  const quote = code[0]!;
  if (code.length < 2 || !code.endsWith(quote)) throw new StatusError("BadRequest", `Cannot parse JSONPath template: a quote is not closed in {${code}}`);
  const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0" };
  return code.slice(1, -1).replace(/\\(.)/gs, (_, char: string) => escapes[char] ?? char);
}

import { FILE_HEADERS_ONLY, formatPatch, structuredPatch } from "diff";
import { printable, type Style } from "./style.ts";

/** Unchanged lines shown around a change, as `diff -u` has them. */
const contextLines = 3;

export interface DiffSide {
  /** What the header calls it. */
  readonly title: string;
  /** Whole lines; "" when there is nothing on this side. */
  readonly text: string;
}

/** The lines of a unified diff, headers included; none when the texts are equal. Text from the outside cannot move the cursor. */
export function unifiedDiff(before: DiffSide, after: DiffSide, style: Style): readonly string[] {
  if (before.text === after.text) return [];
  const patch = structuredPatch(before.title, after.title, before.text, after.text, undefined, undefined, { context: contextLines });
  const lines = formatPatch(patch, FILE_HEADERS_ONLY).replace(/\n$/, "").split("\n").map(printable);
  // The first two lines are the headers: only after them does "---" mean a line that began with "--".
  return lines.map((line, i) => (i < 2 ? style.bold(line) : styled(line, style)));
}

function styled(line: string, style: Style): string {
  if (line.startsWith("+")) return style.good(line);
  if (line.startsWith("-")) return style.bad(line);
  return line.startsWith("@@") ? style.dim(line) : line;
}

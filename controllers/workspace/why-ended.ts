import type { Workspace } from "../../src/api/workspace.ts";
import type { Instance } from "../../src/providers/provider.ts";
import { signalOf } from "../exit-words.ts";

const linesMax = 3;
const lineLengthMax = 200;

/** Terminal control sequences (ECMA-48, 5.4) first, then what is left of control characters. */
const notText = /\u001b\[[0-?]*[ -/]*[@-~]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * The last different lines of what a console showed that say anything, as text for a condition. Consoles go on over starts: what each of
 * them said again, but for a number, is told once.
 */
export function lastLinesOf(shown: string): readonly string[] {
  const lines = shown.split(/[\r\n]+/).map((line) => line.replaceAll(notText, "").trim()).filter((line) => line !== "");
  const last = new Map<string, string>();
  for (const line of lines.reverse()) {
    if (last.size === linesMax) break;
    const pattern = line.replaceAll(/\d+/g, "0");
    if (!last.has(pattern)) last.set(pattern, line);
  }
  return [...last.values()].reverse().map((line) => (line.length > lineLengthMax ? `${line.slice(0, lineLengthMax)}…` : line));
}

/** "ended with exit code 1, and said last: …", as far as its engine tells. */
export function howItEnded({ outOfMemory, exitCode }: Pick<Instance, "outOfMemory" | "exitCode">, lastLines: readonly string[]): string {
  const said = lastLines.length === 0 ? "" : `, and said last: ${lastLines.map((line) => `"${line}"`).join(" ")}`;
  if (outOfMemory) return `was killed for want of memory${said}`;
  const signal = exitCode === undefined ? undefined : signalOf(exitCode);
  return `${signal === undefined ? `ended${exitCode === undefined ? "" : ` with exit code ${exitCode}`}` : `was ended by ${signal}`}${said}`;
}

/** Shells and the engines' init programs have these two codes for a command that could not be started (POSIX, "Exit Status for Commands"). */
const notExecutableCode = 126;
const notFoundCode = 127;

/** What may be done about an instance that ends again and again. */
export function adviceOf({ metadata, spec }: Workspace, { outOfMemory, exitCode }: Pick<Instance, "outOfMemory" | "exitCode">, lastLines: readonly string[]): string {
  const { memory } = spec.resources;
  if (outOfMemory) return memory === undefined ? "its node has too little memory for it" : `it may use ${memory}: raise spec.resources.memory, or have it take less`;
  const command = spec.docker?.command;
  const notStarted = exitCode === notFoundCode || exitCode === notExecutableCode;
  if (notStarted && command === undefined) return `its image seems to have no sh that can be run, and vendetta needs one inside: take an image that has a shell`;
  const couldNotExec = lastLines.some((line) => line.includes(`exec ${command?.[0]} failed`));
  if (notStarted && couldNotExec) return `the image has no ${command![0]} that can be run: correct spec.docker.command`;
  if (command !== undefined) return "the Workspace runs for as long as spec.docker.command does: have that go on, or leave it out and run the command as a Service";
  return `'vendetta logs --console ${metadata.name}${metadata.namespace === "default" ? "" : ` -n ${metadata.namespace}`}' shows all it said`;
}

import { messageOf } from "../../src/base/errors.ts";
import { ProviderError } from "../../src/providers/provider.ts";
import { shQuote } from "../../src/base/sh-quote.ts";
import type { RunSpec } from "./supervisor.ts";

const startBytesMax = 2 * 1024 * 1024;

/**
 * Variables that one of the shells keeps for itself: read-only (bash's UID makes `export UID=1000` fail) or with a meaning
 * that changes their value. These few are set by env(1), so their values show in an argument list for a moment; none is a
 * place where anybody keeps a secret.
 */
const shellOwned = new Set(
  "_ BASHOPTS BASHPID BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_COMPAT BASH_LINENO BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_VERSION COMP_WORDBREAKS DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME FUNCNEST GROUPS HISTCMD LINENO OLDPWD OPTARG OPTIND POSIXLY_CORRECT PPID PWD RANDOM SECONDS SHELLOPTS SHLVL SRANDOM UID".split(
    " ",
  ),
);

/**
 * The two lines that the supervise script reads: `set -- CWD NAME WORD...` and `export NAME=VALUE...` in one command, so
 * that no variable is set before all values are expanded.
 * @throws ProviderError InvalidSpec, naming the part that cannot be
 */
export function startLines(spec: Pick<RunSpec, "command" | "workingDir" | "env">): string {
  const [program] = spec.command;
  if (program === undefined || program === "") throw invalid("command is empty");
  // setsid would take it for an option.
  if (program.startsWith("-")) throw invalid(`command ${JSON.stringify(program)} starts with "-"; write it with a path`);
  const exported: string[] = [];
  const owned: string[] = [];
  for (const [name, value] of Object.entries(spec.env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw invalid(`env ${JSON.stringify(name)} is not a name a shell can export`);
    (shellOwned.has(name) ? owned : exported).push(`${name}=${quoted(value, `env ${name}`)}`);
  }
  const cwd = spec.workingDir ?? "";
  // Without its ./ a relative directory could be looked up in CDPATH, or be an option.
  const directory = cwd === "" || cwd.startsWith("/") ? cwd : `./${cwd}`;
  const words = [quoted(directory, "workingDir"), quoted(program, "command"), ...(owned.length > 0 ? ["env", ...owned] : []), ...spec.command.map((word) => quoted(word, "command"))];
  const lines = `set -- ${words.join(" ")}\n${exported.length > 0 ? `export ${exported.join(" ")}` : ":"}\n`;
  if (Buffer.byteLength(lines) > startBytesMax) throw invalid(`command and env are larger than ${startBytesMax} bytes`);
  return lines;
}

function quoted(text: string, what: string): string {
  try {
    return shQuote(text);
  } catch (error) {
    // The value may be a secret, so only its name is told.
    throw invalid(`${what} ${messageOf(error)}`, error);
  }
}

function invalid(message: string, cause?: unknown): ProviderError {
  return new ProviderError("InvalidSpec", `cannot start: ${message}`, false, { cause });
}

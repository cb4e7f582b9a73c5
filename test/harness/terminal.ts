import assert from "node:assert/strict";
import { eventually } from "./eventually.ts";
import { startProgram } from "./program.ts";

export interface Terminal {
  type(text: string): void;
  /** Waits, at most 15 s, until the screen has shown this. */
  shows(what: RegExp): Promise<void>;
  /** All of it so far. */
  said(): string;
  /** Exit code of the command. */
  readonly exit: Promise<number | null>;
  kill(): void;
}

/** A command on a terminal of 33 rows and 101 columns, util-linux's `script`, typed to by the test. */
export function onTerminal(argv: readonly string[], env: Readonly<Record<string, string>>): Terminal {
  const words = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const { child, said, ended } = startProgram("script", ["--quiet", "--return", "--flush", "--command", `stty rows 33 cols 101; exec ${words}`, "/dev/null"], { env: { ...env, TERM: "xterm" } });
  return {
    type: (text) => void child.stdin.write(text),
    shows: (what) => eventually(() => assert.match(said(), what), 15_000, 50),
    said,
    exit: ended.then(({ code }) => code),
    kill: () => void child.kill("SIGKILL"),
  };
}

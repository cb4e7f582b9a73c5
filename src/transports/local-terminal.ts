import { execFile, type ChildProcess } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";
import type { Clock } from "../base/clock.ts";
import { followLatest } from "../base/follow-latest.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const sttyMsMax = 2000;

/** util-linux's `script` gives a terminal without a native module to build. */
export function terminalArgv(argv: readonly string[], { columns, rows }: TerminalSize): string[] {
  const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  return ["script", "--quiet", "--return", "--flush", "--command", `stty rows ${rows} cols ${columns}; exec ${quoted}`, "/dev/null"];
}

/**
 * Sets the size of the terminal that `script` made; the kernel then tells the programs in its foreground. `script` does so
 * only for a terminal of its own, which it has none of here: so the other end is found by way of its child, which needs a
 * moment to come up.
 */
export function terminalWindow(clock: Clock, script: ChildProcess): (columns: number, rows: number) => void {
  const set = followLatest<TerminalSize>(
    clock,
    async ({ columns, rows }) => {
      if (script.exitCode !== null || script.signalCode !== null) return;
      const [child] = (await readFile(`/proc/${script.pid}/task/${script.pid}/children`, "utf8")).trim().split(" ");
      const terminal = await readlink(`/proc/${child}/fd/0`);
      if (!terminal.startsWith("/dev/pts/")) throw new Error("it is not up yet");
      const stty = async (...words: string[]) => (await promisify(execFile)("stty", ["-F", terminal, ...words], { timeout: sttyMsMax })).stdout.trim();
      // Until the first size of all is set (see above), it would be set over this one.
      if ((await stty("size")) === "0 0") throw new Error("it is not up yet");
      await stty("rows", String(rows), "cols", String(columns));
    },
    { retryMs: 50, triesMax: 40 },
  );
  return (columns, rows) => set({ columns, rows });
}

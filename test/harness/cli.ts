import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startProgram, type ProgramOptions, type ProgramResult, type RunningProgram } from "./program.ts";

/** A vendetta of its own: an empty home in a temporary directory, and the command line that talks to it. */
export interface TestCli {
  readonly home: string;
  /** Environment of every command. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command to its end, at most 60 s unless told otherwise. Its stdin is empty by default; `env` is over that of every command. */
  run(args: readonly string[], options?: ProgramOptions): Promise<ProgramResult>;
  /** Starts one that has no end of its own. */
  start(args: readonly string[], options?: ProgramOptions): RunningProgram;
  /** Runs a command that must succeed; its stdout. @throws with everything it said */
  ok(...args: readonly string[]): Promise<string>;
  /** `get … -o json` of one object or of a list. */
  json<T>(...args: readonly string[]): Promise<T>;
  /** Pid of the server on record. @throws when none is */
  serverPid(): Promise<number>;
  /** Stops the server and removes the home. @throws when a server had ended of an error nobody took */
  dispose(): Promise<void>;
}

/** The compiled entry point, from the project's root. */
export const mainFile = resolve(import.meta.dirname, "../../src/main.js");

export function createTestCli(extraEnv: Readonly<Record<string, string>> = {}, home = mkdtempSync(join(tmpdir(), "vd-"))): TestCli {
  const inherited = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith("DOCKER_") && !entry[0].startsWith("NODE_TEST")));
  const env = { ...inherited, VENDETTA_HOME: home, HOME: home, NO_COLOR: "1", ...extraEnv };
  const cli: TestCli = {
    home,
    env,
    start: (args, { env: more, ...options } = {}) => startProgram(process.execPath, [mainFile, ...args], { env: { ...env, ...more }, ...options }),
    run: (args, { stdin = "", timeoutMs = 60_000, ...options } = {}) => cli.start(args, { stdin, timeoutMs, ...options }).ended,
    async ok(...args) {
      const { code, stdout, stderr } = await cli.run(args, { timeoutMs: 120_000 });
      if (code !== 0) throw new Error(`vendetta ${args.join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
      return stdout;
    },
    async json<T>(...args: readonly string[]) {
      return JSON.parse(await cli.ok("get", ...args, "-o", "json")) as T;
    },
    async serverPid() {
      const status = JSON.parse(await cli.ok("server", "status", "-o", "json")) as { pid?: number };
      if (status.pid === undefined) throw new Error(`no server runs for ${home}`);
      return status.pid;
    },
    async dispose() {
      await cli.run(["server", "stop"]);
      const crash = crashOf(join(home, "log", "server.log"));
      rmSync(home, { recursive: true, force: true });
      if (crash !== undefined) throw new Error(`the server of ${home} crashed:\n${crash}`);
    },
  };
  return cli;
}

/** What Node.js said when it ended a server for an error that nothing had caught. */
function crashOf(log: string): string | undefined {
  if (!existsSync(log)) return undefined;
  const lines = readFileSync(log, "utf8").split("\n");
  const end = lines.findIndex((line) => /^Node\.js v\d/.test(line));
  return end < 0 ? undefined : lines.slice(Math.max(0, end - 40), end).filter((line) => !line.startsWith("{")).join("\n");
}

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";

export interface ProgramResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** The whole of it. Default: ours. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  /** All it is given. Without, its stdin stays open for the test to write to. */
  readonly stdin?: string | Buffer | undefined;
  /** Killed after so long, which shows as code null. Without, the test ends it. */
  readonly timeoutMs?: number | undefined;
}

export interface RunningProgram {
  readonly child: ChildProcessWithoutNullStreams;
  /** Its stdout and stderr so far, as they came. */
  said(): string;
  /** When it has ended and all it said is read. Rejects when it cannot be started. */
  readonly ended: Promise<ProgramResult>;
  /** Asks it to end, and waits until it has. */
  end(signal?: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<ProgramResult>;
}

/** Starts a program, and keeps what it says. */
export function startProgram(file: string, args: readonly string[], { env, cwd, stdin, timeoutMs }: ProgramOptions = {}): RunningProgram {
  const child = spawn(file, args, { env, cwd });
  const text = { stdout: "", stderr: "" };
  let said = "";
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (part: string) => {
      text[name] += part;
      said += part;
    });
  }
  child.stdin.on("error", () => {
    // It ended without reading what it was given: its exit code tells.
  });
  if (stdin !== undefined) child.stdin.end(stdin);
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const ended = new Promise<ProgramResult>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...text }));
  }).finally(() => clearTimeout(timer));
  return {
    child,
    said: () => said,
    ended,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

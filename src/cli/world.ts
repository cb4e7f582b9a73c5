import type { Readable, Writable } from "node:stream";
import type { OpenAccess } from "../access/access.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment, HomePaths } from "../base/home.ts";
import type { NetworkState } from "../base/server-record.ts";

/** A stream that may be a terminal: process.stdout, process.stderr, or a test's. */
export type Output = Pick<Writable, "write" | "on" | "off"> & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined; readonly rows?: number | undefined };

/** process.stdin, or a test's. The last three are a terminal's. */
export type Input = Readable & { readonly isTTY?: boolean | undefined; setRawMode?(raw: boolean): unknown; unref?(): unknown };

export interface RunServerOptions {
  /** Aborts when the server is to stop (SIGTERM, SIGINT). */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly env: Environment;
  readonly version: string;
  /** To be called, and awaited, once: when the store is open and locked and the socket is listened on. */
  readonly onListening: (network: NetworkState) => Promise<void>;
}

/** Serves a home until the signal aborts; resolves when everything it began has ended. Logs to stdout, one JSON object a line. */
export type RunServer = (paths: HomePaths, options: RunServerOptions) => Promise<void>;

/** Everything of the world that the command line touches. */
export interface CliWorld {
  readonly env: Environment;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: Input;
  readonly clock: Clock;
  /** Loads the server only when called: no other command may pay for it. */
  readonly runServer: RunServer;
  /** The user's way into machines. Loaded only when called, too. */
  readonly openAccess: OpenAccess;
  /** Ends the command. Absent: SIGINT and SIGTERM of this process do. */
  readonly signal?: AbortSignal | undefined;
}

/** Something a user can do something about. Printed as `error: <message>`, exit code 1. */
export class CliError extends Error {
  override readonly name: string = "CliError";
}

/** The command has said all there is to say; only the exit code is left. */
export class ExitError extends Error {
  override readonly name = "ExitError";
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** A failure whose exit code is not 1, as for its command 1 means something else. What went wrong is the cause, and is told as ever. */
export class FailureError extends Error {
  override readonly name = "FailureError";
  readonly exitCode: number;
  constructor(exitCode: number, cause: unknown) {
    super(`failed with exit code ${exitCode}`, { cause });
    this.exitCode = exitCode;
  }
}

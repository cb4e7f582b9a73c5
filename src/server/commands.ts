import type { Readable, Writable } from "node:stream";
import type { NamespacedName } from "../base/keys.ts";

/** A command that runs in an instance. */
export interface RunningCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** With a terminal it ends at once: all output is on stdout. */
  readonly stderr: Readable;
  /** Rejects only when the way to the command broke. */
  readonly exit: Promise<{ readonly code: number | undefined; readonly signal: string | undefined }>;
  /** Present with a terminal. */
  resize?(columns: number, rows: number): void;
  kill(signal?: "SIGTERM" | "SIGKILL"): void;
}

export interface CommandWish {
  /** In a Workspace; or in a Service's, with the Service's environment and directory. */
  readonly kind: "Workspace" | "Service";
  readonly ref: NamespacedName;
  readonly argv: readonly string[];
  readonly terminal: boolean;
  /** Ends the command. */
  readonly signal: AbortSignal;
}

/** Starts a command. Handed in by the composition root, which knows where instances are. @throws StatusError */
export type Commands = (wish: CommandWish) => Promise<RunningCommand>;

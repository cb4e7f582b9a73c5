import type { Duplex, Readable, Writable } from "node:stream";

/** Bytes kept of an `exec`'s stdout and of its stderr when the caller names no bound. */
export const execOutputBytesMax = 1024 * 1024;

export interface ExecOptions {
  /** Environment added to the transport's own. Never part of any command line. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Working directory on the machine. Default: the transport's home. */
  readonly cwd?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RunOptions extends ExecOptions {
  /** Written to the command's stdin, which is then closed. Absent: stdin is empty. */
  readonly stdin?: string | Uint8Array | undefined;
  /** The command is killed after this long. No default: every wait has a bound. */
  readonly timeoutMs: number;
  /** Bound on stdout and on stderr each; more is dropped and `truncated` set. Default `execOutputBytesMax`. */
  readonly outputBytesMax?: number | undefined;
}

/** How a command ended. A non-zero code is a result, not an error. */
export interface ExitStatus {
  /** Present when it exited by itself; else `signal` is. */
  readonly code: number | undefined;
  /** "SIGKILL" …, when a signal ended it. */
  readonly signal: string | undefined;
}

export interface RunResult extends ExitStatus {
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
}

/** A running command. */
export interface ExecStream {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Ends at once, empty, when there is a tty: then all output is on stdout. */
  readonly stderr: Readable;
  /** Resolves when the command has ended and its output was all handed on. Rejects only when the way to it broke. */
  readonly exit: Promise<ExitStatus>;
  /** Present with a tty. */
  resize?(columns: number, rows: number): void;
  /** Ends the command (whole session) without waiting. No-op when it has ended. */
  kill(signal?: "SIGTERM" | "SIGKILL"): void;
}

/** Connections that one listener has handed over and that are still open; what comes beyond is refused. */
export const listenerConnectionsMax = 1024;

/** A port that is listened on. */
export interface Listener {
  /** The one asked for, or the one that was chosen. */
  readonly port: number;
  /** Resolves when nothing listens there any more: with undefined when it was told to end, with the error when the way to the machine was lost. Never rejects. */
  readonly ended: Promise<TransportError | undefined>;
}

export type DialTarget = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** The command or dial could not be carried out. Says whether the command may have run, which decides if a retry is safe. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  /** False: certainly never started. True: unknown, look before retrying. */
  readonly mayHaveRun: boolean;
  constructor(message: string, mayHaveRun: boolean, options?: ErrorOptions) {
    super(message, options);
    this.mayHaveRun = mayHaveRun;
  }
}

/** Files on the machine. Paths are absolute. Errors are TransportError whose cause has Node's `code` (ENOENT …). */
export interface TransportFiles {
  /** @throws when larger than `bytesMax` */
  read(path: string, bytesMax: number): Promise<Uint8Array>;
  /** Whole file or nothing: temporary name, fsync, rename. Makes parent directories (0700). `mode` defaults to 0600. */
  write(path: string, data: string | Uint8Array, mode?: number): Promise<void>;
  /** Names in a directory, sorted; empty when it does not exist. */
  list(path: string): Promise<readonly string[]>;
  /** With parents; no error when it exists. `mode` (default 0700) for what it makes. */
  mkdir(path: string, mode?: number): Promise<void>;
  /** A file or a tree; no error when absent. Never follows a symlink out. */
  remove(path: string): Promise<void>;
}

/**
 * A machine's shell, sockets and files. The only code that spawns, dials or listens. `local` is this machine; the same words hold
 * for a machine over SSH. argv arrives byte for byte: no shell ever sees it unquoted.
 *
 * Cancellation: an aborted signal ends the command and everything it started in its session, and rejects with the
 * signal's reason.
 */
export interface Transport {
  /** For messages: "this machine", "ssh dev@10.0.0.5". */
  readonly name: string;
  /** Runs to the end and buffers the output. @throws TransportError, TimeoutError, the signal's reason */
  run(argv: readonly string[], options: RunOptions): Promise<RunResult>;
  /** Starts a command with streams attached, in a session of its own. `tty` gives it a terminal. @throws TransportError when it cannot be started (mayHaveRun false, a cause with the code ENOENT: no such program, EACCES: none that can be run, ENOTDIR: no such directory). */
  exec(argv: readonly string[], options: ExecOptions & { readonly tty?: { readonly columns: number; readonly rows: number } | undefined }): Promise<ExecStream>;
  /**
   * Connects from that machine. The two directions end apart: after the far side's end the caller may still write, and must
   * end its own. It may break at any moment, also before the caller gets to listen for that: an error that nobody listens to is
   * dropped, and "close" tells. @throws TransportError with a cause whose code is ECONNREFUSED, ENOENT, ETIMEDOUT …
   */
  dial(target: DialTarget, signal: AbortSignal): Promise<Duplex>;
  /**
   * Listens on 127.0.0.1:port of that machine, nowhere else (0: a port that is free), and hands over each connection made
   * there. Its directions end apart, and its errors may be left unheard, as with `dial`.
   *
   * The signal's abort frees the port (`Listener.ended` tells when) and leaves the connections to who has them. With the way to
   * the machine it ends for good: only who wants it knows what another program's having the port by then would mean, so he listens again.
   * @throws TransportError with a cause whose code is EADDRINUSE (taken), EACCES (this user, or this port, may not) or ENOTSUP
   * (the machine's sshd binds no ports, or only on all of its addresses); the signal's reason
   */
  listen(port: number, onConnection: (connection: Duplex) => void, signal: AbortSignal): Promise<Listener>;
  /** Whether 127.0.0.1:port on that machine can be bound now. An answer, not a reservation. */
  isPortFree(port: number): Promise<boolean>;
  readonly files: TransportFiles;
  /** Ends what is open and refuses more. */
  close(): Promise<void>;
}

import type { ExecStream } from "../../src/transports/transport.ts";
import type { Instance, Provider } from "../../src/providers/provider.ts";

/** Bound of the log of one run; an older half is dropped when it is full. Two runs are kept. */
export const runLogBytesMax = 8 * 1024 * 1024;

/** One start of a service's command, as the files inside the instance tell it. */
export interface Run {
  /** uid of the Service. */
  readonly service: string;
  /** Counts starts of this service in this instance, from 1. */
  readonly number: number;
  /** Fingerprint handed to `start`: which wish this run carries out. */
  readonly hash: string;
  /** Seconds since the epoch, by the instance's clock. */
  readonly startedAtSeconds: number;
  readonly state:
    /** Its process lives: pid and kernel start time match. */
    | { readonly kind: "running"; readonly pid: number; /** When SIGTERM was sent, if it was. Seconds since the epoch. */ readonly stopRequestedAtSeconds: number | undefined }
    /** Ended. code is 128+n when signal n ended it. undefined: its supervisor died first, so nobody saw the code. */
    | { readonly kind: "exited"; readonly code: number | undefined; readonly atSeconds: number | undefined; readonly stopRequested: boolean };
}

export interface RunSpec {
  /** uid of the Service. */
  readonly service: string;
  /** What lists of processes call it: the Service's name. */
  readonly name: string;
  readonly hash: string;
  readonly command: readonly string[];
  readonly workingDir: string | undefined;
  /** Travels over stdin, never in a command line. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Supervises the commands of one instance, over `Provider.exec` only, so that all providers share it.
 *
 * The truth is files under the instance's runDir, one directory a service, written by a small sh process that is the
 * command's parent: pid with kernel start time and boot id, exit code, log. They outlive the server; a recycled pid is
 * never signalled. One control stream an instance carries requests and tells exits at once. Losing it costs only time:
 * the next call opens another.
 *
 * Verbs are idempotent. Errors: ProviderError (NotRunning, ShellMissing …), TransportError.
 */
export interface Supervisor {
  /** The latest run of each service, read from the files now. */
  runs(signal: AbortSignal): Promise<readonly Run[]>;
  /** Starts the command in a session of its own. No-op when its latest run is running, whatever its hash. Resolves with the run once its pid, or its failure to start, is on record. */
  start(spec: RunSpec, signal: AbortSignal): Promise<Run>;
  /** Signals the whole session of the latest run, if that run is `number` and lives. "TERM" also puts the time on record. */
  signal(service: string, number: number, name: "TERM" | "KILL" | "HUP", signal: AbortSignal): Promise<void>;
  /** Removes a service's directory. Refuses while its run lives. */
  forget(service: string, signal: AbortSignal): Promise<void>;
  /** The log of the latest run (or of the one before), then what is added when following, later runs included. Following ends when its stdin is ended, and with the server. */
  logs(service: string, options: { readonly follow: boolean; readonly previous: boolean; readonly tailLines: number | undefined; readonly signal: AbortSignal }): Promise<ExecStream>;
}

/** Hands out the supervisor of each running instance, one control stream each, closed when the instance restarts or goes. */
export interface Supervisors {
  /** The same one for the same provider, id and startId. */
  of(provider: Provider, instance: Instance): Supervisor;
  /** Called with (instance id, service uid) when a run of it ended or began, and for all known services when the stream broke; a hint. */
  onHint(listener: (instanceId: string, service: string) => void): void;
  /** Closes the control stream of an instance; workloads go on. */
  release(instanceId: string): void;
  close(): Promise<void>;
}

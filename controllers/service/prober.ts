import type { HealthCheck } from "../../src/api/service.ts";
import type { Provider } from "../../src/providers/provider.ts";

/** What the checks of one run say so far. */
export type Health =
  /** No verdict yet: not checked, or failing within its start period. */
  | { readonly state: "pending"; readonly message: string }
  | { readonly state: "healthy"; readonly message: string }
  /** failureThreshold failures in a row. */
  | { readonly state: "unhealthy"; readonly message: string };

/** What to check of a run, and how often. */
export interface ProbeSpec {
  /** Names the run: checks start over when it differs. */
  readonly run: string;
  readonly check:
    | HealthCheck
    /** Its process runs, and has done so for `settleMs`: one that ends as soon as it is started was never healthy. */
    | { readonly kind: "running"; readonly settleMs: number };
  /** The port used where the check names none. */
  readonly defaultPort: number | undefined;
  readonly provider: Provider;
  /** On another machine: see `RemoteWay.watch`. A check that the way there did not let through says nothing of the service. */
  readonly watchWay?: (() => (signal: AbortSignal) => Promise<boolean>) | undefined;
  readonly instanceId: string;
  /** For exec checks. */
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string | undefined;
}

/** Checks the health of running services in the background. */
export interface Prober {
  /** Sets what is checked for a Service, or goes on, by the way given now, when it is the same run; answers what is known by now. */
  watch(serviceUid: string, spec: ProbeSpec): Health;
  /** Ends the checks of a Service. */
  unwatch(serviceUid: string): void;
  /** Called with a Service's uid when its health changed; a hint. */
  onChange(listener: (serviceUid: string) => void): void;
  close(): Promise<void>;
}

import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Health } from "./prober.ts";
import type { Run } from "./supervisor.ts";

/** What was seen of the world, read for this very pass. */
export interface ServiceObservation {
  readonly workspace: Workspace | undefined;
  /** `none`: the instance does not run, so nothing in it does. `ending`: it is being stopped although this service was not seen to end. `unknown`: it could not be asked. */
  readonly runs: { readonly kind: "none" } | { readonly kind: "ending" } | { readonly kind: "unknown"; readonly reason: string; readonly message: string } | { readonly kind: "known"; readonly latest: Run | undefined };
  readonly health: Health;
  /** Fingerprint of what a start now would run. */
  readonly hash: string;
  /** The Services it depends on, as far as they exist. */
  readonly dependencies: ReadonlyMap<string, Service>;
  /** Of these, those to whose ports nothing leads from where it runs. */
  readonly withoutAddress: readonly string[];
  /** And those to which nothing leads at the moment, though it will: what is in the way, by their names. */
  readonly noWayTo: ReadonlyMap<string, string>;
  /** Services that depend on it and have a living process while they too are on their way down. */
  readonly dependentsStopping: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

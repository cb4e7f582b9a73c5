import type { ConditionInput } from "../../src/api/conditions.ts";
import type { WorkspaceStatus } from "../../src/api/workspace.ts";
import type { DiskSizes, Instance } from "../../src/providers/provider.ts";
import type { Eviction } from "./eviction.ts";
import type { GrowDisksStep } from "./plan-disks.ts";
import type { SnapshotsSeen, SnapshotStep } from "./plan-snapshots.ts";

/** What was seen of the world, read for this very pass. */
export interface WorkspaceObservation {
  /** unknown: the node or its engine could not be asked. Nothing is concluded from that (INV-5). */
  readonly instance: { readonly kind: "unknown"; readonly reason: string; readonly message: string } | { readonly kind: "known"; readonly instance: Instance | undefined };
  /** It has ended since it was started, though nobody here stopped it. `lastLines`: what its console showed last, as text. */
  readonly end?: { readonly lastLines: readonly string[] } | undefined;
  /** Fingerprint of what the spec asks to be made. */
  readonly specHash: string;
  /** What differs between the instance and the spec, for people: "image busybox → node:20". */
  readonly difference: string;
  /** Services that are not down yet, and the seconds they may take to stop, one after the other. */
  readonly running: { readonly names: readonly string[]; readonly graceSeconds: number };
  /** Its Node wants it gone. `move` only when another Node fits now. */
  readonly eviction?: Eviction | undefined;
  /** undefined: nobody asks for any. */
  readonly snapshots?: SnapshotsSeen | undefined;
  /** What its disks are to hold at least; undefined: its engine cannot change that of an instance. */
  readonly disks?: DiskSizes | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type WorkspaceStep =
  /** Say what is about to happen, before it does. */
  | { readonly do: "announce"; readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string }
  | { readonly do: "create" }
  | { readonly do: "start" }
  | { readonly do: "stop" }
  | { readonly do: "destroy"; readonly volumes: boolean }
  /** Place it on another Node, now that there is nothing of it on its own. */
  | { readonly do: "move"; readonly why: string }
  | SnapshotStep
  | GrowDisksStep
  /** Put its disk back, which is on record from then on. */
  | { readonly do: "restore"; readonly snapshot: string }
  | { readonly do: "finish" };

export interface WorkspacePlan {
  readonly steps: readonly WorkspaceStep[];
  readonly status: Partial<WorkspaceStatus> & { readonly phase: NonNullable<WorkspaceStatus["phase"]> };
  readonly condition: ConditionInput;
  /** Beside that of `condition`. */
  readonly moreConditions: readonly ConditionInput[];
  /** Whether the world will look different at once: look again in the same pass. */
  readonly lookAgain: boolean;
  readonly afterMs: number | undefined;
}

import type { ConditionInput } from "../../src/api/conditions.ts";
import type { SnapshotStatus, Workspace, WorkspaceStatus } from "../../src/api/workspace.ts";
import type { Snapshot } from "../../src/providers/provider.ts";

/** What is kept of an instance's disk; read only where the Workspace's spec or status speaks of snapshots. */
export type SnapshotsSeen =
  /** Why its engine cannot keep any, for people. */
  | { readonly kind: "unsupported"; readonly message: string }
  | { readonly kind: "known"; readonly found: readonly Snapshot[] };

export type SnapshotStep = { readonly do: "takeSnapshot"; readonly name: string } | { readonly do: "removeSnapshot"; readonly name: string };

export interface SnapshotsPlan {
  readonly steps: readonly SnapshotStep[];
  /** The snapshot that the disk is to be put back to now. */
  readonly restore: string | undefined;
  readonly status: Pick<WorkspaceStatus, "snapshots">;
  readonly conditions: readonly ConditionInput[];
  /** When to look again, as something failed; undefined: not for their sake. */
  readonly afterMs: number | undefined;
}

/** One that could not be taken is tried again so much later. */
export const snapshotRetryMs = 60_000;

/** Which snapshots to take and to remove, and whether the disk is to be put back. Pure. */
export function planSnapshots(workspace: Workspace, seen: SnapshotsSeen | undefined, nowMs: number): SnapshotsPlan {
  const { spec, status, metadata } = workspace;
  if (seen === undefined) return { steps: [], restore: undefined, status: {}, conditions: [], afterMs: undefined };
  const told = (reason: string, message: string): readonly ConditionInput[] => [{ type: "Snapshots", status: reason === "Kept" ? "True" : "False", reason, message, observedGeneration: metadata.generation }];
  if (seen.kind === "unsupported") {
    return { steps: [], restore: undefined, status: listed(spec.snapshots.map(({ name }) => ({ name, message: seen.message }))), conditions: told("NotSupported", seen.message), afterMs: undefined };
  }
  const steps: SnapshotStep[] = seen.found.filter(({ name }) => !spec.snapshots.some((each) => each.name === name)).map(({ name }) => ({ do: "removeSnapshot", name }));
  let afterMs: number | undefined;
  const entries = spec.snapshots.map(({ name }): SnapshotStatus => {
    const found = seen.found.find((each) => each.name === name);
    if (found !== undefined) return { name, createdTime: found.createdAt };
    const old = status?.snapshots?.find((each) => each.name === name);
    // Taken once more it would be another state under an old name.
    if (old?.createdTime !== undefined) return { name, createdTime: old.createdTime, message: `it is not on Node "${status?.nodeName}" any more; take the name out of spec.snapshots, or take another one` };
    const waitMs = old?.lastTryTime === undefined ? 0 : Date.parse(old.lastTryTime) + snapshotRetryMs - nowMs;
    if (waitMs <= 0) steps.push({ do: "takeSnapshot", name });
    else afterMs = Math.min(afterMs ?? Infinity, waitMs);
    return old ?? { name };
  });
  const trouble = entries.filter((each) => each.message !== undefined);
  const restorable = spec.restore !== undefined && !isRestored(workspace) && seen.found.some(({ name }) => name === spec.restore!.snapshot);
  return {
    steps,
    restore: restorable ? spec.restore.snapshot : undefined,
    status: listed(entries),
    conditions: trouble.length > 0 ? told(trouble[0]!.createdTime === undefined ? "SnapshotFailed" : "SnapshotLost", trouble.map(({ name, message }) => `${name}: ${message}`).join("; ")) : told("Kept", entries.length === 0 ? "none is asked for" : `kept: ${entries.map(({ name }) => name).join(", ")}`),
    afterMs,
  };
}

/** Whether its spec.restore has been carried out, or there is none. */
export function isRestored({ spec: { restore }, status }: Workspace): boolean {
  return restore === undefined || (status?.restored?.snapshot === restore.snapshot && status.restored.request === restore.request);
}

const listed = (snapshots: readonly SnapshotStatus[]): Pick<WorkspaceStatus, "snapshots"> => ({ snapshots: snapshots.length === 0 ? undefined : snapshots.map((each) => ({ ...each })) });

import type { Workspace, WorkspaceStatus } from "../../src/api/workspace.ts";
import type { WorkspacePlan, WorkspaceStep } from "./workspace-plan.ts";

interface Outline {
  readonly phase: NonNullable<WorkspaceStatus["phase"]>;
  readonly ready?: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly steps?: readonly WorkspaceStep[];
  readonly facts?: Partial<WorkspaceStatus>;
  readonly lookAgain?: boolean;
  readonly afterMs?: number;
  /** The world agrees with this generation (INV-7). */
  readonly acted: boolean;
}

/** A plan in which nothing is to be done but what is given. */
export function outline(workspace: Workspace, { phase, ready = "False", reason, message, steps = [], facts = {}, lookAgain = false, afterMs, acted }: Outline): WorkspacePlan {
  const { generation } = workspace.metadata;
  return {
    steps,
    status: { ...facts, phase, ...(acted ? { observedGeneration: generation } : {}) },
    condition: { type: "Ready", status: ready, reason, message, ...(acted ? { observedGeneration: generation } : {}) },
    moreConditions: [],
    lookAgain,
    afterMs,
  };
}

/** What the status says of an instance that runs, taken away. */
export const noLongerRuns = { startId: undefined, startedAt: undefined, address: undefined, remarks: undefined, lastEnd: undefined } as const;

/** A startId on record that is taken away unasked is what counts as a restart; taken away, it cannot count twice. */
export function cameBack(workspace: Workspace): Partial<WorkspaceStatus> {
  const { startId, restarts = 0 } = workspace.status ?? {};
  return { ...noLongerRuns, restarts: startId === undefined ? restarts : restarts + 1 };
}

/** A machine may take minutes, and says meanwhile what it does. */
export function consoleHint({ metadata: { name }, spec }: Workspace): string {
  return spec.provider === "qemu" ? `; 'vendetta logs --console ${name}' shows how far it is` : "";
}

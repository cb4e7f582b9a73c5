import { applyObject, type ApplyOne } from "./apply-object.ts";
import { CliError } from "./world.ts";

/** Who merges what is applied with what is stored. */
export interface ApplyWayOptions {
  /** The server merges, and keeps who owns which field. */
  readonly serverSide?: boolean | undefined;
  readonly forceConflicts?: boolean | undefined;
  readonly fieldManager?: string | undefined;
}

/** kubectl's default too, so that the two may take turns on an object. */
const defaultManager = "kubectl";

/** @throws CliError */
export function checkApplyWay({ serverSide, forceConflicts, fieldManager }: ApplyWayOptions): void {
  if (serverSide === true) return;
  if (forceConflicts === true) throw new CliError("--force-conflicts only works with --server-side");
  if (fieldManager !== undefined) throw new CliError("--field-manager only works with --server-side");
}

export async function applyWay({ serverSide, forceConflicts, fieldManager }: ApplyWayOptions): Promise<ApplyOne> {
  if (serverSide !== true) return applyObject;
  const { serverSideApply } = await import("./server-side-apply.ts");
  return serverSideApply({ manager: fieldManager ?? defaultManager, force: forceConflicts === true });
}

import { findCondition } from "./conditions.ts";
import type { Workspace, WorkspaceStatus } from "./workspace.ts";

/** Whether a Workspace's spec, as it is now, was refused by its engine: it is not tried again unless somebody changes it. */
export function isRefusedForGood({ metadata, status }: Pick<Workspace, "metadata"> & { readonly status?: WorkspaceStatus | undefined }): boolean {
  const ready = findCondition(status?.conditions, "Ready");
  return status?.phase === "Failed" && status.nextRetryTime === undefined && ready?.status === "False" && ready.observedGeneration === metadata.generation;
}

import { findCondition } from "./conditions.ts";
import type { Service } from "./service.ts";

/** Whether a Service's command has ended and is not started again unless somebody changes something. */
export function hasEndedForGood({ spec, status }: Service): boolean {
  switch (status?.phase) {
    case "Completed":
      return true;
    case "Stopped":
      // While its workspace is made anew it is only between two runs.
      return findCondition(status.conditions, "Ready")?.reason !== "WorkspaceRecreated";
    case "Failed":
      // A step that failed is tried again; a command that failed is not, with this policy.
      return spec.restartPolicy === "Never" && status.lastExit !== undefined && status.nextRestartTime === undefined;
    default:
      return false;
  }
}

import { keyOf, type Key } from "../../src/base/keys.ts";
import { findCondition } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import { portsOf, type Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import { whyUnknown } from "../node/why-unknown.ts";
import { evictionOf } from "./eviction.ts";

/**
 * A Service matters to its Workspace's loop when its ports are not on record, while the Workspace waits for it to stop, and when it found what
 * it runs in gone, or silent, which its Workspace is not known to be: not every engine tells of every end.
 */
export function workspaceToWake(workspaces: Lister<"Workspace">, service: Service): readonly Key[] {
  const key = keyOf({ namespace: service.metadata.namespace, name: service.spec.workspace });
  const workspace = workspaces.byKey(key);
  if (workspace === undefined) return [];
  const { phase, ports = [] } = workspace.status ?? {};
  const waiting = isDeleting(workspace) || workspace.spec.state === "Stopped" || phase === "Stopping" || phase === "Recreating" || phase === "Restoring" || phase === "Moving";
  const portsDiffer = isDeleting(service) || portsOf(service.spec).some(({ port }) => !ports.some((each) => each.port === port));
  const ready = findCondition(service.status?.conditions, "Ready");
  const doubted = phase === "Running" && (ready?.status === "Unknown" || ready?.reason === "WorkspaceNotReady");
  return waiting || portsDiffer || doubted ? [key] : [];
}

/** Whether what a Node has become may matter to a Workspace's loop. */
export function concernsNode(workspace: Workspace, node: Node): boolean {
  const { nodeName, leftBehind, conditions } = workspace.status ?? {};
  const ready = findCondition(conditions, "Ready");
  const { name } = node.metadata;
  if (nodeName === undefined || leftBehind?.some((each) => each.nodeName === name) === true) return true;
  if (nodeName === name) return ready?.status !== "True" || whyUnknown(node) !== undefined || evictionOf(workspace, node) !== undefined;
  // Lost or evicted where it is, it may fit there now.
  return ready?.status !== "True" && (workspace.spec.failover !== undefined || ready?.reason === "NodeDrained" || ready?.reason === "NodeTainted");
}

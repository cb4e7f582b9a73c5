import { keyOf, type Key } from "../../src/base/keys.ts";
import { isTrue } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import { portsOf, type Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import { whyUnknown } from "../node/why-unknown.ts";

/** A Service matters to its Workspace's loop when its ports are not on record, or while the Workspace waits for it to stop. */
export function workspaceToWake(workspaces: Lister<"Workspace">, service: Service): readonly Key[] {
  const key = keyOf({ namespace: service.metadata.namespace, name: service.spec.workspace });
  const workspace = workspaces.byKey(key);
  if (workspace === undefined) return [];
  const { phase, ports = [] } = workspace.status ?? {};
  const waiting = isDeleting(workspace) || workspace.spec.state === "Stopped" || phase === "Recreating";
  const portsDiffer = isDeleting(service) || portsOf(service.spec).some(({ port }) => !ports.some((each) => each.port === port));
  return waiting || portsDiffer ? [key] : [];
}

/** Whether what a Node has become may matter to a Workspace's loop. */
export function concernsNode(workspace: Workspace, node: Node): boolean {
  const { nodeName } = workspace.status ?? {};
  return nodeName === undefined || (nodeName === node.metadata.name && (!isTrue(workspace.status?.conditions, "Ready") || whyUnknown(node) !== undefined));
}

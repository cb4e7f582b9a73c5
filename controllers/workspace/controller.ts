import { keyOf, type Key } from "../../src/base/keys.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { requeue, settled, type Outcome, type Reconciler } from "../../src/runtime/reconciler.ts";
import { release } from "./carry-out.ts";
import { createFailures } from "./failures.ts";
import { freshLookMs } from "./failover.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import { WorkspacePass } from "./pass.ts";
import { createPlacer } from "./place.ts";
import { createPlacements } from "./placements.ts";
import { concernsNode, workspaceToWake } from "./wake.ts";

/** What the cache of Workspaces must find them under. */
export const workspaceIndexes = {
  uid: ({ metadata }: Workspace) => [metadata.uid],
  /** The Node it is placed on. */
  node: ({ status }: Workspace) => (status?.nodeName === undefined ? [] : [status.nodeName]),
  /** Each node port it has on record: all are the server's machine's, whichever Node they lead to. */
  nodePort: ({ status }: Workspace) => (status?.ports ?? []).map(({ nodePort }) => String(nodePort)),
};

/** Keeps every Workspace's instance as wished: plan.ts decides, a pass looks and acts. */
export function createWorkspaceReconciler(parts: WorkspaceControllerParts): Reconciler {
  const { workspaces } = parts;
  const failures = createFailures(parts.clock);
  const placer = createPlacer(parts, createPlacements(workspaces));
  const trustedFromMs = parts.clock.now() + freshLookMs;
  const seenUids = new Map<Key, string>();

  return {
    kind: "Workspace",
    name: "workspace-controller",
    watches: [
      { kind: "Workspace" },
      { kind: "Service", keys: (service: Service) => workspaceToWake(workspaces, service) },
      { kind: "Node", keys: (node: Node) => workspaces.list().filter((each) => concernsNode(each, node)).map(keyOf) },
    ],
    lane(key) {
      const { nodeName, leftBehind } = workspaces.byKey(key)?.status ?? {};
      // A Node that has just come back may hang again: it holds up what waits for it, and nobody on the Node they are on now.
      return leftBehind?.[0]?.nodeName ?? nodeName;
    },
    async reconcile(key, signal): Promise<Outcome> {
      const workspace = workspaces.byKey(key);
      const uid = seenUids.get(key);
      if (uid !== undefined && uid !== workspace?.metadata.uid) {
        await release(parts, uid);
        failures.clear(uid);
        seenUids.delete(key);
      }
      if (workspace === undefined) return settled;
      seenUids.set(key, workspace.metadata.uid);
      const waitMs = failures.waitMs(workspace.metadata.uid, workspace.metadata.generation);
      if (waitMs > 0) return requeue(waitMs);
      return new WorkspacePass(parts, { placer, failures, trustedFromMs }, workspace).run(signal);
    },
  };
}

import { hostname } from "node:os";
import type { Environment } from "../base/home.ts";
import { localNodeLabel } from "../api/local-node-label.ts";
import type { Node } from "../api/node.ts";
import type { ObjectInput } from "../api/meta.ts";
import { nodeName } from "../api/node-name.ts";
import type { Store } from "../store/store.ts";

/**
 * Registers this machine as a Node when no Node stands for it yet, with the label that says so. DOCKER_HOST=unix://… names its
 * engine's socket. A Node that lacks the label, as an earlier version let it, gets it.
 */
export async function registerLocalNode(store: Pick<Store, "list" | "create" | "patch">, env: Environment): Promise<void> {
  const labels = { [localNodeLabel]: "true" };
  const { items } = await store.list("Node");
  const known = items.filter((node) => node.spec.local !== undefined);
  for (const { metadata } of known) if (metadata.labels?.[localNodeLabel] !== "true") await store.patch("Node", metadata, { type: "merge", patch: { metadata: { uid: metadata.uid, labels } } });
  if (known.length > 0) return;
  const dockerHost = env["DOCKER_HOST"];
  const docker = dockerHost?.startsWith("unix://") ? { docker: { socketPath: dockerHost.slice("unix://".length) } } : {};
  const node = { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: nodeName(hostname()), labels }, spec: { local: {}, providers: docker } };
  // Defaults are filled in by the store.
  await store.create("Node", node as unknown as ObjectInput<Node>);
}

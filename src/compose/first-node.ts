import { hostname } from "node:os";
import type { Environment } from "../base/home.ts";
import type { Node } from "../api/node.ts";
import type { ObjectInput } from "../api/meta.ts";
import { nodeName } from "../api/node-name.ts";
import type { Store } from "../store/store.ts";

/** Registers this machine as a Node when no Node stands for it yet. DOCKER_HOST=unix://… names its engine's socket. */
export async function registerLocalNode(store: Pick<Store, "list" | "create">, env: Environment): Promise<void> {
  const { items } = await store.list("Node");
  if (items.some((node) => node.spec.local !== undefined)) return;
  const dockerHost = env["DOCKER_HOST"];
  const docker = dockerHost?.startsWith("unix://") ? { docker: { socketPath: dockerHost.slice("unix://".length) } } : {};
  const node = { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: nodeName(hostname()) }, spec: { local: {}, providers: docker } };
  // Defaults are filled in by the store.
  await store.create("Node", node as unknown as ObjectInput<Node>);
}

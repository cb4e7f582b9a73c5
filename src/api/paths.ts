import type { NamespacedName } from "../base/keys.ts";
import type { KindName } from "./registry.ts";

/** Where a kind lives in the HTTP API. */
export interface KindPath {
  /** "" for core. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/**
 * The paths of all kinds, without their schemas: a client that only asks must not pay for loading zod (its start-up time
 * is measured). A test holds this table to the registry.
 */
export const kindPaths: { readonly [K in KindName]: KindPath } = {
  Namespace: { group: "", version: "v1", plural: "namespaces", namespaced: false },
  Event: { group: "", version: "v1", plural: "events", namespaced: true },
  Node: { group: "vendetta.dev", version: "v1alpha1", plural: "nodes", namespaced: false },
  Workspace: { group: "vendetta.dev", version: "v1alpha1", plural: "workspaces", namespaced: true },
  Service: { group: "vendetta.dev", version: "v1alpha1", plural: "services", namespaced: true },
  Source: { group: "vendetta.dev", version: "v1alpha1", plural: "sources", namespaced: false },
  Lease: { group: "coordination.k8s.io", version: "v1", plural: "leases", namespaced: true },
  Pod: { group: "", version: "v1", plural: "pods", namespaced: true },
};

/** `/api/v1` or `/apis/<group>/<version>`. */
export function groupPath({ group, version }: Pick<KindPath, "group" | "version">): string {
  return group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
}

/** Path of the objects of a kind: in one namespace, or (absent) in all. */
export function collectionPath(kind: KindName, namespace?: string): string {
  const path = kindPaths[kind];
  const room = namespace === undefined || !path.namespaced ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${groupPath(path)}${room}/${path.plural}`;
}

/** Path of one object, or of a subresource of it ("status", "log"). */
export function objectPath(kind: KindName, { namespace, name }: NamespacedName, subresource?: string): string {
  return `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}${subresource === undefined ? "" : `/${subresource}`}`;
}

/** Where the network edge's credentials are replaced: no resource, so outside of /api and /apis. */
export const rotatePath = "/credentials/rotate";

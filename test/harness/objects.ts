import { parseObject } from "../../src/api/validate.ts";
import type { KindMap, KindName } from "../../src/api/registry.ts";
import type { ObjectMeta } from "../../src/api/meta.ts";

/** A stored object as the store would make it from this spec: defaults filled in, metadata complete. */
export function storedObject<K extends KindName>(kind: K, name: string, spec: object, extra: { readonly metadata?: Partial<ObjectMeta>; readonly status?: object } = {}): KindMap[K] {
  const namespaced = kind !== "Node" && kind !== "Namespace" && kind !== "Source";
  const metadata = { name, ...(namespaced ? { namespace: "default" } : {}) };
  const { body } = parseObject(kind, { metadata, spec });
  return {
    ...body,
    metadata: { ...metadata, uid: `uid-${name}`, resourceVersion: "1", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z", ...extra.metadata },
    ...(extra.status === undefined ? {} : { status: extra.status }),
  } as unknown as KindMap[K];
}

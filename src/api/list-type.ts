import type { z } from "zod";

// How lists and maps merge when several managers apply to one object: written on the schema, so that the CRD tells clients
// what the store does. A list without a word here is atomic (owned as a whole), a map is granular (owned key by key).
// Source: kubernetes.io, "Server-Side Apply", "Merge strategy"; CRD fields x-kubernetes-list-type, -list-map-keys, -map-type.

/** A list of objects told apart by these fields: each item is merged, and owned, on its own. The fields are required or have a default. */
export function mergedByKeys<T extends z.ZodType>(list: T, ...keys: readonly [string, ...string[]]): T {
  return list.meta({ ...list.meta(), "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys });
}

/** A list of scalars whose order has no meaning: each value is owned on its own. */
export function mergedAsSet<T extends z.ZodType>(list: T): T {
  return list.meta({ ...list.meta(), "x-kubernetes-list-type": "set" });
}

/** An object that makes sense only as a whole: who changes a part of it owns all of it. */
export function ownedWhole<T extends z.ZodType>(map: T): T {
  return map.meta({ ...map.meta(), "x-kubernetes-map-type": "atomic" });
}

import type { KindName } from "../api/registry.ts";

// Services come before their Workspace: its container is then made with their ports published, which cannot be done later.
// (A manifest of a Pod is refused before.)
const order: { readonly [K in KindName]: number } = { Namespace: 0, Node: 1, Service: 2, Workspace: 3, Pod: 3, Source: 4, Lease: 4, Event: 5 };

/** The objects in the order they are applied in; within a kind as they were given. */
export function inApplyOrder<T extends { readonly kind: KindName }>(objects: readonly T[]): readonly T[] {
  return [...objects].sort((a, b) => order[a.kind] - order[b.kind]);
}

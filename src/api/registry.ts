import { eventKind, type Event } from "./event.ts";
import type { KindDefinition } from "./kind.ts";
import { leaseKind, type Lease } from "./lease.ts";
import { namespaceKind, type Namespace } from "./namespace.ts";
import { nodeKind, type Node } from "./node.ts";
import { podKind } from "./pod-kind.ts";
import type { Pod } from "./pod.ts";
import { serviceKind, type Service } from "./service.ts";
import { sourceKind, type Source } from "./source.ts";
import { workspaceKind, type Workspace } from "./workspace.ts";

/** Every kind by its name. Adding one here is what makes the store, the server, the CLI and the CRDs know it. */
export interface KindMap {
  readonly Namespace: Namespace;
  readonly Event: Event;
  readonly Node: Node;
  readonly Workspace: Workspace;
  readonly Service: Service;
  readonly Source: Source;
  readonly Lease: Lease;
  readonly Pod: Pod;
}
export type KindName = keyof KindMap;
export type AnyObject = KindMap[KindName];

export const kinds: { readonly [K in KindName]: KindDefinition<KindMap[K]> } = {
  Namespace: namespaceKind,
  Event: eventKind,
  Node: nodeKind,
  Workspace: workspaceKind,
  Service: serviceKind,
  Source: sourceKind,
  Lease: leaseKind,
  Pod: podKind,
};

export const kindNames = Object.keys(kinds) as readonly KindName[];
/** Kinds whose objects are written and kept; the others are views of these. */
export const storedKindNames = kindNames.filter(isStored);

export function isStored(name: KindName): boolean {
  return (kinds[name] as KindDefinition<never>).view === undefined;
}

export function isKindName(name: string): name is KindName {
  return Object.hasOwn(kinds, name);
}

/** The kind a word on a command line means: kind, plural, singular or short name, in any case; `plural.group` too. */
export function findKind(word: string): KindName | undefined {
  const lower = word.toLowerCase();
  return kindNames.find((name) => {
    const kind: KindDefinition<never> = kinds[name];
    return [kind.kind.toLowerCase(), kind.plural, kind.singular, ...kind.shortNames, `${kind.plural}.${kind.group}`].includes(lower);
  });
}

/** The kind behind a manifest's apiVersion and kind. */
export function kindFor(apiVersion: string, kind: string): KindName | undefined {
  if (!isKindName(kind)) return undefined;
  const { group, version } = kinds[kind] as KindDefinition<never>;
  return apiVersion === (group === "" ? version : `${group}/${version}`) ? kind : undefined;
}

import type { ConditionInput } from "../api/conditions.ts";
import type { StoredObject } from "../api/meta.ts";
import { kindPaths } from "../api/paths.ts";
import type { KindName } from "../api/registry.ts";

/** What is left in a namespace that is being deleted. */
export interface NamespaceContent {
  readonly left: readonly { readonly kind: KindName; readonly objects: readonly StoredObject[] }[];
  /** What went wrong when the rest was asked to go. */
  readonly failures: readonly string[];
}

/** Kinds that go before others, in this order: a Service's processes are stopped while their Workspace still runs. */
const first: readonly KindName[] = ["Service", "Workspace"];
/** Goes when all else has gone: until then it tells the story. */
const last: KindName = "Event";

/** The kinds to be deleted now: those of the first stage that still holds something. */
export function nextKinds(content: NamespaceContent): readonly KindName[] {
  const held = content.left.filter(({ objects }) => objects.length > 0).map(({ kind }) => kind);
  const early = first.find((kind) => held.includes(kind));
  if (early !== undefined) return [early];
  const others = held.filter((kind) => kind !== last);
  return others.length > 0 ? others : held;
}

/**
 * The conditions of a namespace that is being deleted, in the words of Kubernetes' namespace controller. Events are not counted:
 * nothing waits for them.
 */
export function contentConditions({ left, failures }: NamespaceContent): readonly ConditionInput[] {
  const counted = left.filter(({ kind, objects }) => kind !== last && objects.length > 0);
  const remaining = counted.map(({ kind, objects }) => `${resourceOf(kind)} has ${objects.length} resource instances`).sort();
  const finalizers = new Map<string, number>();
  for (const { objects } of counted) for (const { metadata } of objects) for (const each of metadata.finalizers ?? []) finalizers.set(each, (finalizers.get(each) ?? 0) + 1);
  const holding = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`).sort();
  return [
    { type: "NamespaceDeletionDiscoveryFailure", status: "False", reason: "ResourcesDiscovered", message: "All resources successfully discovered" },
    { type: "NamespaceDeletionGroupVersionParsingFailure", status: "False", reason: "ParsedGroupVersions", message: "All legacy kube types successfully parsed" },
    failures.length > 0
      ? { type: "NamespaceDeletionContentFailure", status: "True", reason: "ContentDeletionFailed", message: `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(", ")}`.slice(0, 1024) }
      : { type: "NamespaceDeletionContentFailure", status: "False", reason: "ContentDeleted", message: "All content successfully deleted, may be waiting on finalization" },
    remaining.length > 0
      ? { type: "NamespaceContentRemaining", status: "True", reason: "SomeResourcesRemain", message: `Some resources are remaining: ${remaining.join(", ")}` }
      : { type: "NamespaceContentRemaining", status: "False", reason: "ContentRemoved", message: "All content successfully removed" },
    holding.length > 0
      ? { type: "NamespaceFinalizersRemaining", status: "True", reason: "SomeFinalizersRemain", message: `Some content in the namespace has finalizers remaining: ${holding.join(", ")}` }
      : { type: "NamespaceFinalizersRemaining", status: "False", reason: "ContentHasNoFinalizers", message: "All content-preserving finalizers finished" },
  ];
}

function resourceOf(kind: KindName): string {
  const { plural, group } = kindPaths[kind];
  return `${plural}.${group}`;
}

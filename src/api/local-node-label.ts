import type { ObjectMeta } from "./meta.ts";
import type { StatusCause } from "./status-error.ts";

/** Label, with the value "true", of the Node that is the server's own machine: what a nodeSelector asks for to stay there. */
export const localNodeLabel = "vendetta.dev/local";

interface Labelled {
  readonly metadata: Pick<ObjectMeta, "labels">;
  readonly spec: { readonly ssh?: unknown };
}

/**
 * What is wrong with a Node's label `vendetta.dev/local`: Workspaces with paths of the server's machine go by it, so that on
 * another machine they would find other files there, or none. What an earlier version let pass is no error until it changes.
 */
export function localLabelCauses(node: Labelled, old: Labelled | undefined): readonly StatusCause[] {
  const label = node.metadata.labels?.[localNodeLabel];
  const refuse = (message: string): readonly StatusCause[] => [{ field: `metadata.labels["${localNodeLabel}"]`, message, reason: "FieldValueForbidden" }];
  if (node.spec.ssh !== undefined) {
    if (label === undefined || (old?.spec.ssh !== undefined && old.metadata.labels?.[localNodeLabel] === label)) return [];
    return refuse("is only for the server's own machine, and this Node is reached over SSH; give it a label of your own, and name that in nodeSelector");
  }
  const before = old?.spec.ssh === undefined ? old?.metadata.labels?.[localNodeLabel] : undefined;
  if (label === before || label === "true") return [];
  if (label === undefined) return refuse("cannot be taken away: what is to run on the server's own machine is found by it; to keep new Workspaces away, use 'vendetta node cordon'");
  return refuse('must be "true" on the server\'s own machine');
}

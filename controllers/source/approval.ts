import { approvedPruneAnnotation } from "../../src/api/annotations.ts";
import type { Source } from "../../src/api/source.ts";

/**
 * An approval is for the deletions that are held while it is given, and for no others that may come to be the same ones: it counts as long as
 * the status has them, and a pass that ends without having needed it takes it away. undefined: none counts.
 */
export function approvalInForce({ metadata: { annotations = {} }, status }: Pick<Source, "metadata" | "status">): string | undefined {
  const given = annotations[approvedPruneAnnotation];
  return given === status?.heldPrune?.approval ? given : undefined;
}

/** The Source without an approval; undefined when it has none. */
export function withoutApproval(source: Source): Source | undefined {
  const { [approvedPruneAnnotation]: given, ...annotations } = source.metadata.annotations ?? {};
  return given === undefined ? undefined : { ...source, metadata: { ...source.metadata, annotations } };
}

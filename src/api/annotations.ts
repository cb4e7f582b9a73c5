/** A new value restarts the Service, whatever it is; `vendetta restart` writes the time. */
export const restartedAtAnnotation = "vendetta.dev/restartedAt";

/** A new value has the Workspace's instance made anew, its volumes kept. Counted up by `vendetta restart` and by the deletion of its Pod. */
export const recreationAnnotation = "vendetta.dev/recreation";

/** How often the Workspace was asked to be made anew. */
export function recreationOf({ metadata }: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }): number {
  const text = metadata.annotations?.[recreationAnnotation] ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

/** A merge patch that asks for it once more. */
export function askForRecreation(workspace: Parameters<typeof recreationOf>[0]): object {
  return { metadata: { annotations: { [recreationAnnotation]: String(recreationOf(workspace) + 1) } } };
}

/** Of an object: the Source that applies it. */
export const sourceAnnotation = "vendetta.dev/source";

/** "disabled" on an object: pruning leaves it alone, whatever is selected. */
export const pruneAnnotation = "vendetta.dev/prune";

/** Of a Source: a new value has it read and applied at once; `vendetta source sync` writes the time. */
export const syncRequestAnnotation = "vendetta.dev/syncRequestedAt";

/** Of a Source: `status.heldPrune.approval` of the deletions that may be carried out. Taken away by the pass that has heard of it. */
export const approvedPruneAnnotation = "vendetta.dev/approvedPrune";

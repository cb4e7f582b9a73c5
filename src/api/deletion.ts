import type { StoredObject } from "./meta.ts";

/**
 * What becomes of an object's dependents (those whose ownerReferences name its uid) when it is deleted.
 * Source: Kubernetes, "Garbage collection", and metav1.DeletionPropagation.
 */
export type DeletionPropagation =
  /** The object goes first, its dependents after it. */
  | "Background"
  /** Dependents go first; the object waits for those of them that say blockOwnerDeletion. */
  | "Foreground"
  /** Dependents stay, and forget that they had this owner. */
  | "Orphan";

/** In the order in which Kubernetes names them. */
export const deletionPropagations: readonly DeletionPropagation[] = ["Foreground", "Background", "Orphan"];

/** Holds an object of which deletion was asked for with Foreground. The garbage collector takes it off. */
export const foregroundFinalizer = "foregroundDeletion";
/** Holds an object of which deletion was asked for with Orphan. The garbage collector takes it off. */
export const orphanFinalizer = "orphan";

const finalizerOf: { readonly [P in DeletionPropagation]: string | undefined } = { Background: undefined, Foreground: foregroundFinalizer, Orphan: orphanFinalizer };

/**
 * The finalizers of an object of which deletion is asked for: a wish replaces what an earlier one put there. Without a
 * wish an object that carries one of the two finalizers has it carried out, and any other goes in the Background.
 */
export function finalizersForDeletion(object: StoredObject, propagation: DeletionPropagation | undefined): readonly string[] {
  const finalizers = object.metadata.finalizers ?? [];
  if (propagation === undefined) return finalizers;
  const wanted = finalizerOf[propagation];
  const kept = finalizers.filter((each) => each === wanted || (each !== foregroundFinalizer && each !== orphanFinalizer));
  return wanted === undefined || kept.includes(wanted) ? kept : [...kept, wanted];
}

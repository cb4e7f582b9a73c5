import { timestamp, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { parseKey } from "../base/keys.ts";
import { setConditions } from "../api/conditions.ts";
import { isDeleting, type ObjectInput } from "../api/meta.ts";
import type { Namespace } from "../api/namespace.ts";
import { kinds, storedKindNames, type KindName } from "../api/registry.ts";
import { isConflict, isNotFound } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { Lister } from "./lister.ts";
import { contentConditions, nextKinds, type NamespaceContent } from "./namespace-content.ts";
import { requeue, settled, type Outcome, type Reconciler } from "./reconciler.ts";

const namespaceFinalizer = "vendetta.dev/namespace";
/** A Namespace's own name as a label, as Kubernetes sets it, so that selectors can name Namespaces. */
const nameLabel = "kubernetes.io/metadata.name";
/** How often a namespace that is going looks whether it is empty. */
const emptyCheckMs = 500;

const namespacedKinds = storedKindNames.filter((kind) => kinds[kind].scope === "Namespaced");

export interface NamespaceReconcilerParts {
  readonly store: Pick<Store, "list" | "delete" | "update" | "updateStatus">;
  readonly namespaces: Lister<"Namespace">;
  readonly clock: Clock;
}

/** Keeps a Namespace's phase and label, and empties one that is deleted before it goes. */
export function createNamespaceReconciler({ store, namespaces, clock }: NamespaceReconcilerParts): Reconciler {
  const keep = async (namespace: Namespace): Promise<Outcome> => {
    const { metadata } = namespace;
    const { name, labels, finalizers = [] } = metadata;
    if (!finalizers.includes(namespaceFinalizer) || labels?.[nameLabel] !== name) {
      await store.update("Namespace", { ...namespace, metadata: { ...metadata, labels: { ...labels, [nameLabel]: name }, finalizers: [...new Set([...finalizers, namespaceFinalizer])] } });
    } else if (namespace.status?.phase !== "Active") {
      await store.updateStatus("Namespace", { ...namespace, status: { phase: "Active" } });
    }
    return settled;
  };

  const empty = async (namespace: Namespace): Promise<Outcome> => {
    const { name } = namespace.metadata;
    const content = await removeSome(store, name);
    const done = content.failures.length === 0 && content.left.every(({ objects }) => objects.length === 0);
    const known = namespace.status?.conditions;
    const conditions = setConditions(known, timestamp(clock.now()), ...contentConditions(content));
    let current = namespace;
    if (namespace.status?.phase !== "Terminating" || JSON.stringify(conditions) !== JSON.stringify(known)) {
      current = await store.updateStatus("Namespace", { ...namespace, status: { phase: "Terminating", conditions: [...conditions] } });
    }
    if (!done) return requeue(emptyCheckMs);
    await store.update("Namespace", without(current)).catch((error: unknown) => {
      // INV-8: gone is what was asked for.
      if (!isNotFound(error)) throw error;
    });
    return settled;
  };

  return {
    kind: "Namespace",
    name: "namespace-controller",
    watches: [{ kind: "Namespace" }],
    async reconcile(key) {
      const namespace = namespaces.get(parseKey(key));
      if (namespace === undefined) return settled;
      if (!isDeleting(namespace)) return await keep(namespace);
      return (namespace.metadata.finalizers ?? []).includes(namespaceFinalizer) ? await empty(namespace) : settled;
    },
  };
}

function without(namespace: Namespace): ObjectInput<Namespace> {
  const { metadata } = namespace;
  return { ...namespace, metadata: { ...metadata, finalizers: (metadata.finalizers ?? []).filter((each) => each !== namespaceFinalizer) } };
}

/** Asks what is to go next to go. Answers what was left when it had asked. */
async function removeSome(store: Pick<Store, "list" | "delete">, namespace: string): Promise<NamespaceContent> {
  const look = async () => await Promise.all(namespacedKinds.map(async (kind) => ({ kind, objects: (await store.list(kind, { namespace })).items })));
  const before = await look();
  const failures = new Map<KindName, string>();
  const kindsNow = nextKinds({ left: before, failures: [] });
  let removed = 0;
  for (const { kind, objects } of before) {
    for (const object of kindsNow.includes(kind) ? objects : []) {
      if (isDeleting(object)) continue;
      try {
        await store.delete(kind, object.metadata, { uid: object.metadata.uid }, { propagation: "Background" });
        removed++;
      } catch (error) {
        // One that has gone, or has another in its place, is looked at again; one that cannot go holds up no other.
        if (!isNotFound(error) && !isConflict(error)) failures.set(kind, messageOf(error));
      }
    }
  }
  return { left: removed === 0 ? before : await look(), failures: [...failures.values()] };
}

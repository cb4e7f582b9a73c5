import { parseKey } from "../base/keys.ts";
import { isDeleting, type ObjectInput } from "../api/meta.ts";
import type { Namespace } from "../api/namespace.ts";
import { kinds, storedKindNames, type KindName } from "../api/registry.ts";
import { isNotFound } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { Lister } from "./lister.ts";
import { requeue, settled, type Reconciler } from "./reconciler.ts";

const namespaceFinalizer = "vendetta.dev/namespace";
/** How often a namespace that is going looks whether it is empty. */
const emptyCheckMs = 500;

const namespacedKinds = storedKindNames.filter((kind) => kinds[kind].scope === "Namespaced");

/** Keeps a Namespace's phase, and empties one that is deleted before it goes. */
export function createNamespaceReconciler({ store, namespaces }: { readonly store: Pick<Store, "list" | "delete" | "update" | "updateStatus">; readonly namespaces: Lister<"Namespace"> }): Reconciler {
  return {
    kind: "Namespace",
    name: "namespace-controller",
    watches: [{ kind: "Namespace" }],
    async reconcile(key) {
      const namespace = namespaces.get(parseKey(key));
      if (namespace === undefined) return settled;
      const finalizers = namespace.metadata.finalizers ?? [];
      const held = finalizers.includes(namespaceFinalizer);
      if (isDeleting(namespace)) {
        if (!held) return settled;
        await phase(store, namespace, "Terminating");
        if (await emptied(store, namespace.metadata.name)) {
          await store.update("Namespace", without(namespace)).catch((error: unknown) => {
            // INV-8: gone is what was asked for.
            if (!isNotFound(error)) throw error;
          });
          return settled;
        }
        return requeue(emptyCheckMs);
      }
      if (!held) await store.update("Namespace", { ...namespace, metadata: { ...namespace.metadata, finalizers: [...finalizers, namespaceFinalizer] } });
      else await phase(store, namespace, "Active");
      return settled;
    },
  };
}

function without(namespace: Namespace): ObjectInput<Namespace> {
  // The version is left out: the status written a moment ago has moved it, and only the finalizer is ours to take.
  const { resourceVersion: _, ...metadata } = namespace.metadata;
  return { ...namespace, metadata: { ...metadata, finalizers: (namespace.metadata.finalizers ?? []).filter((each) => each !== namespaceFinalizer) } };
}

async function phase(store: Pick<Store, "updateStatus">, namespace: Namespace, wanted: "Active" | "Terminating"): Promise<void> {
  if (namespace.status?.phase !== wanted) await store.updateStatus("Namespace", { ...namespace, status: { phase: wanted } });
}

/** Asks everything in it to go; whether all has gone. Events go last: until then they tell the story. */
async function emptied(store: Pick<Store, "list" | "delete">, namespace: string): Promise<boolean> {
  const remove = async (kind: KindName): Promise<number> => {
    const { items } = await store.list(kind, { namespace });
    for (const object of items) {
      if (isDeleting(object)) continue;
      await store.delete(kind, object.metadata).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
    return items.length;
  };
  let left = 0;
  for (const kind of namespacedKinds) if (kind !== "Event") left += await remove(kind);
  return left === 0 && (await remove("Event")) === 0;
}

import { sourceAnnotation } from "../api/annotations.ts";
import type { KindName } from "../api/registry.ts";
import type { StoredObject } from "../api/meta.ts";
import type { Source } from "../api/source.ts";
import { orNone } from "../api/status-error.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { Store } from "../store/store.ts";

/** What whoever writes ought to know of Sources, for `Warning` headers. */
export interface SourceRemarks {
  /** Of an update: told when it changed a spec that a Source will set again. Call it with the object as it was before, and as it is now. */
  updated(before: StoredObject | undefined, now: StoredObject): Promise<readonly string[]>;
  deleted(object: StoredObject): Promise<readonly string[]>;
  /** The object before it is updated; undefined when there is none, or no Source would mind. */
  before(kind: KindName, ref: NamespacedName): Promise<StoredObject | undefined>;
}

export function createSourceRemarks(store: Pick<Store, "get">): SourceRemarks {
  /** The Source that keeps it as its manifests say, if one does. */
  const keeperOf = async ({ metadata }: StoredObject): Promise<Source | undefined> => {
    const name = metadata.annotations?.[sourceAnnotation];
    if (name === undefined) return undefined;
    const source = await orNone(store.get("Source", { name }));
    return source === undefined || source.spec.suspend || source.spec.driftPolicy !== "revert" ? undefined : source;
  };
  const instead = (name: string) => `change its manifest, or say 'vendetta source suspend ${name}' first`;

  return {
    async before(kind, ref) {
      const found: StoredObject | undefined = await orNone<StoredObject>(store.get(kind, ref));
      return found?.metadata.annotations?.[sourceAnnotation] === undefined ? undefined : found;
    },
    async updated(before, now) {
      if (before === undefined || before.metadata.generation === now.metadata.generation) return [];
      const keeper = await keeperOf(before);
      return keeper === undefined ? [] : [`${now.kind} "${now.metadata.name}" belongs to Source "${keeper.metadata.name}", which sets again what its manifest names: ${instead(keeper.metadata.name)}`];
    },
    async deleted(object) {
      if (object.kind === "Source") {
        const count = (object as Source).status?.inventory?.length ?? 0;
        return count === 0 ? [] : [`what Source "${object.metadata.name}" has applied stays: ${count} ${count === 1 ? "object" : "objects"}`];
      }
      const keeper = await keeperOf(object);
      return keeper === undefined ? [] : [`${object.kind} "${object.metadata.name}" belongs to Source "${keeper.metadata.name}", which makes it again: ${instead(keeper.metadata.name)}`];
    },
  };
}

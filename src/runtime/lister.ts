import type { Key, NamespacedName } from "../base/keys.ts";
import type { KindMap, KindName } from "../api/registry.ts";
import type { LabelSelector } from "../api/selectors.ts";

/** A read handle on a cache of one kind. Objects are frozen. What it tells may be old: a newer state is always on its way. */
export interface Lister<K extends KindName> {
  get(ref: NamespacedName): KindMap[K] | undefined;
  byKey(key: Key): KindMap[K] | undefined;
  /** In no particular order. */
  list(options?: { readonly namespace?: string | undefined; readonly labels?: LabelSelector | undefined }): readonly KindMap[K][];
  /** Objects an index of the informer put under this value: `byIndex("workspace", "default/dev")`. @throws when there is no such index. */
  byIndex(index: string, value: string): readonly KindMap[K][];
}

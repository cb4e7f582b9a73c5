declare const keyBrand: unique symbol;

/** Names one object of one kind in a queue: `namespace/name`, or `name` for a cluster-scoped kind. Carries no event. */
export type Key = string & { readonly [keyBrand]: true };

export interface NamespacedName {
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

export function keyOf(object: { readonly metadata: NamespacedName } | NamespacedName): Key {
  const { namespace, name } = "metadata" in object ? object.metadata : object;
  return (namespace === undefined ? name : `${namespace}/${name}`) as Key;
}

export function parseKey(key: Key): NamespacedName {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

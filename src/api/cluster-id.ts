import type { Namespace } from "./namespace.ts";

/** Lives and dies with the store, and needs no file of its own. @param first the Namespace `default` */
export function clusterIdOf({ metadata }: Pick<Namespace, "metadata">): string {
  return metadata.uid.replaceAll("-", "").slice(0, 12);
}

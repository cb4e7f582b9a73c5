import { readManifests, type ManifestNamespace, type ManifestText, type ReadManifests } from "./read-manifests.ts";

/** Reads sets of texts that are mostly the same from one time to the next. Losing it costs time and nothing else. */
export interface ManifestCache {
  /** As `readManifests`. Objects of a text that has not changed are the very same ones. */
  read(texts: readonly ManifestText[], room: ManifestNamespace): ReadManifests;
}

export function createManifestCache(): ManifestCache {
  let known = new Map<string, { readonly text: string; readonly read: ReadManifests }>();
  let knownRoom = "";
  return {
    read(texts, room) {
      const roomKey = JSON.stringify([room.namespace, room.namespaceGiven, room.givenBy]);
      const next: typeof known = new Map();
      const parts = texts.map((each) => {
        const key = JSON.stringify([each.directory, each.name]);
        const old = roomKey === knownRoom ? known.get(key) : undefined;
        const entry = old?.text === each.text ? old : { text: each.text, read: readManifests([each], room) };
        next.set(key, entry);
        return entry.read;
      });
      known = next;
      knownRoom = roomKey;
      return { objects: parts.flatMap(({ objects }) => objects), problems: parts.flatMap(({ problems }) => problems) };
    },
  };
}

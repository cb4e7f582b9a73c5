import { readManifests, type ManifestNamespace, type ManifestText, type ReadManifests } from "./read-manifests.ts";

/** Texts that are parsed without letting others have a turn: a thousand new ones take about a second. */
const atOnceMax = 16;

/** Reads sets of texts that are mostly the same from one time to the next. Losing it costs time and nothing else. */
export interface ManifestCache {
  /** As `readManifests`. Objects of a text that has not changed are the very same ones. */
  read(texts: readonly ManifestText[], room: ManifestNamespace, signal: AbortSignal): Promise<ReadManifests>;
}

export function createManifestCache(): ManifestCache {
  let known = new Map<string, { readonly text: string; readonly read: ReadManifests }>();
  let knownRoom = "";
  return {
    async read(texts, room, signal) {
      const roomKey = JSON.stringify([room.namespace, room.namespaceGiven, room.givenBy]);
      const next: typeof known = new Map();
      const parts: ReadManifests[] = [];
      let parsed = 0;
      for (const each of texts) {
        const key = JSON.stringify([each.directory, each.name]);
        const old = roomKey === knownRoom ? known.get(key) : undefined;
        if (old?.text !== each.text && ++parsed % atOnceMax === 0) {
          await new Promise((resolve) => setImmediate(resolve));
          signal.throwIfAborted();
        }
        const entry = old?.text === each.text ? old : { text: each.text, read: readManifests([each], room) };
        next.set(key, entry);
        parts.push(entry.read);
      }
      known = next;
      knownRoom = roomKey;
      return { objects: parts.flatMap(({ objects }) => objects), problems: parts.flatMap(({ problems }) => problems) };
    },
  };
}

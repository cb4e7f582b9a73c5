import { join } from "node:path";
import type { Source } from "../api/source.ts";
import { assert } from "../base/assert.ts";
import { keyOf, type Key } from "../base/keys.ts";
import { DirectoryPlace } from "./directory-place.ts";
import { cacheName, GitPlace } from "./git-place.ts";
import type { SourcePlace, SourceReaderParts } from "./source-place.ts";
import type { Reading, SourceReader } from "./source-reader.ts";

/** @see SourceReader. `keepOnly` takes away what is kept of all other Sources: some may have gone while nobody looked. */
export function createSourceReader(parts: SourceReaderParts): SourceReader & { keepOnly(sources: readonly Source[]): Promise<void> } {
  const places = new Map<Key, SourcePlace>();
  /** The last reading of each that has begun. */
  const reading = new Map<Key, Promise<Reading>>();
  const listeners: ((key: Key) => void)[] = [];

  const placeOf = async (source: Source): Promise<SourcePlace> => {
    const key = keyOf(source);
    const hint = () => {
      for (const listener of listeners) listener(key);
    };
    const id = placeId(source);
    const known = places.get(key);
    if (known?.id === id) return known;
    await known?.close();
    await known?.forget();
    const place = openPlace(parts, source, id, hint);
    places.set(key, place);
    return place;
  };

  return {
    async read(source, options) {
      const key = keyOf(source);
      const before = reading.get(key);
      const done = (async () => {
        // Whoever was before has heard of its own trouble.
        await before?.catch(() => {});
        options.signal.throwIfAborted();
        return await (await placeOf(source)).read(source, options);
      })();
      reading.set(key, done);
      try {
        return await done;
      } finally {
        if (reading.get(key) === done) reading.delete(key);
      }
    },
    async release(key) {
      const place = places.get(key);
      places.delete(key);
      await place?.close();
    },
    async forget(key) {
      const place = places.get(key);
      places.delete(key);
      await place?.close();
      await place?.forget();
    },
    async keepOnly(sources) {
      const { transport, cacheDir } = parts;
      const kept = new Set(sources.flatMap(({ metadata: { uid }, spec: { git } }) => (git === undefined ? [] : [cacheName(uid, git)])));
      for (const name of await transport.files.list(cacheDir)) if (!kept.has(name)) await transport.files.remove(join(cacheDir, name));
    },
    onHint: (listener) => void listeners.push(listener),
    async close() {
      const open = [...places.values()];
      places.clear();
      await Promise.all(open.map((place) => place.close()));
    },
  };
}

function placeId({ metadata: { uid }, spec: { directory, git } }: Source): string {
  return JSON.stringify([uid, directory?.path, git?.url, git?.ref, git?.path]);
}

function openPlace(parts: SourceReaderParts, source: Source, id: string, hint: () => void): SourcePlace {
  const { directory, git } = source.spec;
  if (git !== undefined) return new GitPlace(parts, source, git, id, hint);
  assert(directory !== undefined, "a Source names a directory or a repository");
  return new DirectoryPlace(parts, directory.path, id, hint);
}

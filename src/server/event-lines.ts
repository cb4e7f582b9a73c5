import type { StoredObject } from "../api/meta.ts";

type ChangeType = "ADDED" | "MODIFIED" | "DELETED";

/** Lines kept for the watchers that have not come to them yet; one that is further behind has its lines made anew. */
const keptLineBytesMax = 4 * 1024 * 1024;

/** The lines that watches consist of, each as `metav1.WatchEvent` and with its newline, in UTF-8. */
export interface EventLines {
  /**
   * Of an object of the store, which never changes: made once for all who watch it. The bytes are everybody's, so nobody may
   * change or transfer them.
   */
  of(type: ChangeType, object: StoredObject): Uint8Array;
}

/** One event a line, as `metav1.WatchEvent`. */
export function eventLine(type: string, object: object): string {
  return `{"type":"${type}","object":${JSON.stringify(object)}}\n`;
}

/** Keeps the newest lines, up to `lineBytesMax`, as watchers who keep up ask for a line one right after the other. */
export function createEventLines(lineBytesMax = keptLineBytesMax): EventLines {
  const encoder = new TextEncoder();
  // A map knows the order in which it was filled. What a change is to a watcher depends on what it selects.
  const kept = { ADDED: new Map<StoredObject, Uint8Array>(), MODIFIED: new Map<StoredObject, Uint8Array>(), DELETED: new Map<StoredObject, Uint8Array>() } satisfies Record<ChangeType, unknown>;
  const bytesMax = Math.floor(lineBytesMax / Object.keys(kept).length);
  const bytes: Record<ChangeType, number> = { ADDED: 0, MODIFIED: 0, DELETED: 0 };
  return {
    of(type, object) {
      const lines = kept[type];
      const found = lines.get(object);
      if (found !== undefined) return found;
      const line = encoder.encode(eventLine(type, object));
      // It would drive all others out and go itself.
      if (line.length > bytesMax) return line;
      lines.set(object, line);
      bytes[type] += line.length;
      for (const [oldest, { length }] of lines) {
        if (bytes[type] <= bytesMax) break;
        lines.delete(oldest);
        bytes[type] -= length;
      }
      return line;
    },
  };
}

import type { Source } from "../api/source.ts";
import type { SourcePlace, SourceReaderParts } from "./source-place.ts";
import { readDirectory, type KnownDirectory } from "./read-directory.ts";
import type { Reading, ReadOptions } from "./source-reader.ts";
import { isManifestPath, watchDirectory, type DirectoryWatch } from "./watch-directory.ts";

/** A directory of the server's machine. */
export class DirectoryPlace implements SourcePlace {
  readonly id: string;
  readonly #parts: SourceReaderParts;
  readonly #path: string;
  readonly #hint: () => void;
  #known: KnownDirectory | undefined;
  #watch: { readonly rootId: string; readonly watch: DirectoryWatch } | undefined;
  #closed = false;

  constructor(parts: SourceReaderParts, path: string, id: string, hint: () => void) {
    this.#parts = parts;
    this.#path = path;
    this.id = id;
    this.#hint = hint;
  }

  async read(_source: Source, { fresh, signal }: ReadOptions): Promise<Reading> {
    const { reading, scan, known } = await readDirectory(this.#path, { clock: this.#parts.clock, signal, fresh, known: this.#known });
    this.#known = known;
    await this.#lookOut(scan);
    return reading;
  }

  /** A directory that has come in the place of another one has to be watched anew: what is watched is the one that was there. */
  async #lookOut(scan: { readonly root: string; readonly rootId: string } | undefined): Promise<void> {
    if (this.#watch?.rootId === scan?.rootId) return;
    const old = this.#watch;
    this.#watch = undefined;
    await old?.watch.close();
    if (scan === undefined || this.#closed) return;
    const { log } = this.#parts;
    this.#watch = { rootId: scan.rootId, watch: watchDirectory(scan.root, { isWatched: isManifestPath, onHint: this.#hint, log }) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const watch = this.#watch;
    this.#watch = undefined;
    await watch?.watch.close();
  }

  async forget(): Promise<void> {
    // A directory is the user's: nothing of it is kept.
  }
}

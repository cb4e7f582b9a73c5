import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Low } from "lowdb";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { EmbeddedStore } from "./embedded-store.ts";
import type { Journal } from "./journal.ts";
import { JournalFile, journalGeneration, journalName } from "./journal-file.ts";
import type { Snapshot, SnapshotAdapter } from "./snapshot-adapter.ts";

export interface CompactionParts {
  readonly dir: string;
  readonly low: Low<Snapshot>;
  readonly adapter: SnapshotAdapter;
  readonly journal: Journal;
  readonly store: Pick<EmbeddedStore, "snapshot">;
  readonly log: Logger;
  readonly journalBytesMax: number;
}

/**
 * Folds the journal into a new snapshot, beside the writes. Whatever the moment of a crash, the snapshot on disk and the
 * journals from the one it names hold everything:
 * 1. an empty next journal is made durable;
 * 2. between two batches the writers turn to it, and in the same instant references to the visible state are taken;
 * 3. these are written as a snapshot that names the new journal, and renamed over the old one;
 * 4. older journals go.
 * Failing is no harm: the old snapshot and all journals stay, and it is tried again when the journal has grown.
 */
export class Compaction {
  readonly #parts: CompactionParts;
  #running: Promise<void> | undefined;
  #retryAtBytes = 0;

  constructor(parts: CompactionParts) {
    this.#parts = parts;
  }

  /** Starts one when the journal is long enough and none is under way. */
  consider(): void {
    const { journal, adapter, journalBytesMax, log } = this.#parts;
    const { bytes } = journal.file;
    if (this.#running !== undefined || journal.refusal !== undefined || bytes <= Math.max(journalBytesMax, adapter.bytes, this.#retryAtBytes)) return;
    this.#running = this.#run()
      .catch((error: unknown) => {
        // Closed or stopped: that is told elsewhere, and there is no later.
        if (journal.refusal !== undefined) return;
        this.#retryAtBytes = journal.file.bytes + journalBytesMax;
        log.warn("cannot fold the journal into a snapshot; nothing is lost, it is tried again later", { error: messageOf(error) });
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { dir, low, journal } = this.#parts;
    const next = await JournalFile.create(dir, journal.file.generation + 1);
    const { version, objects } = await this.#turn(next);
    low.data = { version, journal: next.generation, objects };
    try {
      await low.write();
    } finally {
      // Else the objects of that moment would stay in memory until the next time.
      low.data = { version, journal: next.generation, objects: [] };
    }
    this.#retryAtBytes = 0;
    await removeJournalsBefore(dir, next.generation);
  }

  async #turn(next: JournalFile): Promise<ReturnType<EmbeddedStore["snapshot"]>> {
    const { journal, store } = this.#parts;
    try {
      return await journal.turnTo(next, () => store.snapshot());
    } catch (error) {
      // The store was closed or has stopped meanwhile: the file is of no use.
      await rm(next.path, { force: true });
      throw error;
    }
  }
}

async function removeJournalsBefore(dir: string, generation: number): Promise<void> {
  for (const name of await readdir(dir)) {
    const found = journalGeneration(name);
    if (found !== undefined && found < generation) await rm(join(dir, journalName(found)), { force: true });
  }
}

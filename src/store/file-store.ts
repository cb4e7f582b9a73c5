import { chmod, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Low } from "lowdb";
import type { Logger } from "../base/log.ts";
import { isKindName } from "../api/registry.ts";
import type { CommitSource } from "./commit.ts";
import { Compaction } from "./compaction.ts";
import { lockDirectory } from "./directory-lock.ts";
import { EmbeddedStore, type EmbeddedStoreOptions } from "./embedded-store.ts";
import { firstState } from "./first-state.ts";
import { readFrames } from "./frame.ts";
import { Journal } from "./journal.ts";
import { JournalFile, journalGeneration } from "./journal-file.ts";
import { recover } from "./recovery.ts";
import { SnapshotAdapter, type Snapshot } from "./snapshot-adapter.ts";
import type { Store } from "./store.ts";
import { openError, StoreOpenError } from "./store-open-error.ts";

export interface FileStoreOptions extends EmbeddedStoreOptions {
  /** Held by one process at a time. Made when it is not there, readable by its owner only. */
  readonly dir: string;
  readonly log: Logger;
  /** The journal is folded into a snapshot when it is larger than this and than the snapshot. Bytes. */
  readonly journalBytesMax?: number | undefined;
}

export interface FileStore extends Store, CommitSource {
  /** Ends watches, refuses further writes, waits for those accepted, gives the directory free. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * A store in a directory.
 *
 * lowdb holds the snapshot: the state at one version. Commits after it are appended to a journal, in generations: the
 * snapshot names the first that goes on from it. On opening, the snapshot is read and those journals are played.
 * @throws StoreOpenError saying which file, why, and what to do
 */
export async function openFileStore(options: FileStoreOptions): Promise<FileStore> {
  const { dir, random } = options;
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await chmod(dir, 0o700);
    const lock = await lockDirectory(dir, random.uuid());
    try {
      const store = await openLocked(options, () => random.uuid());
      const closeStore = store.close;
      let closing: Promise<void> | undefined;
      const close = () => (closing ??= closeStore().finally(() => lock.release()));
      return Object.assign(store, { close });
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    throw openError(dir, error);
  }
}

async function openLocked(options: FileStoreOptions, unique: () => string): Promise<FileStore> {
  const { dir, log, journalBytesMax = 8 * 1024 * 1024 } = options;
  const adapter = new SnapshotAdapter(join(dir, "snapshot.jsonl"), unique);
  const low = new Low<Snapshot>(adapter, { version: 0, journal: 0, objects: [] });
  await low.read();
  if (low.data.version === 0) await writeFirst(options, low);
  const { version, objects } = low.data;
  for (const object of objects) checkKind(adapter.path, object.kind);
  const { changes, last, stale } = await recover(dir, low.data, log);
  low.data = { ...low.data, objects: [] };
  const file = last.end === 0 ? await JournalFile.create(dir, last.generation) : await JournalFile.reopen(dir, last.generation, last.end);
  for (const name of stale) await rm(join(dir, name), { force: true });

  let journal!: Journal;
  const store = new EmbeddedStore(options, { version, objects, changes }, (sink) => (journal = new Journal(file, sink, log)));
  const compaction = new Compaction({ dir, low, adapter, journal, store, log, journalBytesMax });
  journal.onBatch = () => compaction.consider();
  compaction.consider();
  const close = async () => {
    store.endWatches();
    await journal.close();
    await compaction.settled();
  };
  return Object.assign(store, { close });
}

/** Journal first: a snapshot whose journal is missing would be a loss. */
async function writeFirst(options: FileStoreOptions, low: Low<Snapshot>): Promise<void> {
  const { dir } = options;
  for (const name of await readdir(dir)) {
    const generation = journalGeneration(name) ?? 0;
    // Journal 1 without records is what a crash right here leaves.
    if (generation > 1 || (generation === 1 && readFrames(await readFile(join(dir, name))).frames.length > 1)) {
      throw new StoreOpenError(`Cannot open the store: ${dir} has ${name} but no snapshot.jsonl. Nothing was changed. Restore the directory from a backup`);
    }
  }
  await (await JournalFile.create(dir, 1)).close();
  const { version, objects } = firstState(options);
  low.data = { version, journal: 1, objects };
  await low.write();
}

function checkKind(path: string, kind: string): void {
  if (!isKindName(kind)) throw new StoreOpenError(`Cannot open the store: ${path} holds a ${kind}, which this vendetta does not know; use the newer vendetta that wrote it`);
}

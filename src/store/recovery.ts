import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { decodeChanges } from "./change-record.ts";
import type { LoggedChange } from "./commit.ts";
import { readFrames, type Frame, type FramesRead } from "./frame.ts";
import { journalFormatVersion, journalGeneration, journalName, type JournalHeader } from "./journal-file.ts";
import type { Snapshot } from "./snapshot-adapter.ts";
import { damaged, StoreOpenError } from "./store-open-error.ts";

export interface Recovered {
  /** After the snapshot, in order, without a gap. */
  readonly changes: readonly LoggedChange[];
  /** The journal to go on with. end 0: it has not even a header, make it anew. */
  readonly last: { readonly generation: number; readonly end: number };
  /** Names that no longer belong to the state. */
  readonly stale: readonly string[];
}

/**
 * Reads what was committed after the snapshot. Changes nothing.
 * @throws StoreOpenError when anything acknowledged is missing or damaged
 */
export async function recover(dir: string, snapshot: Snapshot, log: Logger): Promise<Recovered> {
  const names = await readdir(dir);
  const generations = names.flatMap((name) => journalGeneration(name) ?? []).sort((a, b) => a - b);
  const current = generations.filter((generation) => generation >= snapshot.journal);
  current.forEach((generation, i) => {
    if (generation !== snapshot.journal + i) throw missing(dir, snapshot.journal + i, snapshot.version);
  });
  if (current.length === 0) throw missing(dir, snapshot.journal, snapshot.version);
  const journals: JournalRead[] = [];
  for (const generation of current) journals.push(await readJournal(dir, generation));
  // The next journal is made before the writers turn to it: one without records changes nothing.
  while (journals.length > 1 && journals.at(-1)!.records.length === 0) journals.pop();

  const changes: LoggedChange[] = [];
  journals.forEach((journal, i) => {
    checkEnd(journal, i === journals.length - 1, log);
    for (const frame of journal.records) appendChanges(journal.path, frame, snapshot.version + changes.length + 1, changes);
  });
  const last = journals.at(-1)!;
  const unused = generations.filter((generation) => generation < snapshot.journal || generation > last.generation).map(journalName);
  return { changes, last, stale: [...unused, ...names.filter((name) => name.endsWith(".tmp") || name.startsWith("lock."))] };
}

function missing(dir: string, generation: number, version: number): StoreOpenError {
  return new StoreOpenError(`Cannot open the store: ${join(dir, journalName(generation))} is missing, and with it what was written after version ${version}. Nothing was changed. Restore the directory from a backup`);
}

interface JournalRead {
  readonly path: string;
  readonly generation: number;
  readonly records: readonly Frame[];
  readonly end: number;
  readonly rest: FramesRead["rest"];
  /** Bytes of the file. */
  readonly bytes: number;
}

async function readJournal(dir: string, generation: number): Promise<JournalRead> {
  const path = join(dir, journalName(generation));
  const bytes = await readFile(path);
  const { frames: [header, ...records], end, rest } = readFrames(bytes);
  if (header !== undefined) checkHeader(path, header, generation);
  return { path, generation, records, end, rest, bytes: bytes.length };
}

/** Only the last journal can have been written to when the server died: the one before was complete at the turn. */
function checkEnd({ path, end, rest, bytes }: JournalRead, isLast: boolean, log: Logger): void {
  if (rest === "damaged" || (rest === "torn" && !isLast)) throw damaged(path, end, "the checksum of a record does not match");
  if (end === 0 && !isLast) throw damaged(path, 0, "it has no header");
  if (rest === "torn") log.warn("cut off a record that was being written when the server died; nobody was told it was stored", { path, offset: end, bytes: bytes - end });
}

function appendChanges(path: string, frame: Frame, expected: number, changes: LoggedChange[]): void {
  for (const change of decodeFrame(path, frame)) {
    if (change.version !== expected) throw damaged(path, frame.offset, `version ${expected} is missing, ${change.version} follows`);
    expected++;
    changes.push(change);
  }
}

function checkHeader(path: string, frame: Frame, generation: number): void {
  const header = JSON.parse(frame.payload.toString()) as JournalHeader;
  if (header.format !== "vendetta-journal" || header.formatVersion > journalFormatVersion) {
    throw new StoreOpenError(`Cannot open the store: ${path} has format ${header.format} ${header.formatVersion}, this vendetta reads ${journalFormatVersion}; use the newer vendetta that wrote it`);
  }
  if (header.generation !== generation) throw damaged(path, 0, `it is journal ${header.generation} under another's name`);
}

function decodeFrame(path: string, { offset, payload }: Frame): readonly LoggedChange[] {
  try {
    return decodeChanges(payload.toString());
  } catch (error) {
    throw new StoreOpenError(`Cannot open the store: ${path} cannot be read at byte ${offset}: ${messageOf(error)}; use the vendetta that wrote it`, { cause: error });
  }
}

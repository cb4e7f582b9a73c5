import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { encodeFrame } from "./frame.ts";
import { syncDirectory } from "../base/sync-directory.ts";

/** The first frame of a journal. */
export interface JournalHeader {
  readonly format: "vendetta-journal";
  readonly formatVersion: number;
  readonly generation: number;
}
export const journalFormatVersion = 1;

/**
 * Zeros written ahead of the records, so that making one durable does not also have to make a new file size durable: a
 * third off each write on ext4. Bytes.
 */
const roomBytes = 1024 * 1024;

const room = Buffer.alloc(roomBytes);

export function journalName(generation: number): string {
  return `journal-${String(generation).padStart(8, "0")}.jsonl`;
}

/** The generation of a journal's name; undefined for other names. */
export function journalGeneration(name: string): number | undefined {
  const match = /^journal-(\d{8})\.jsonl$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** One journal, open for appending. Callers append one frame at a time. */
export class JournalFile {
  readonly path: string;
  readonly generation: number;
  readonly #file: FileHandle;
  /** Where the last durable frame ends. */
  #end: number;
  /** Up to where the file has bytes. */
  #allocated: number;

  private constructor(path: string, generation: number, file: FileHandle, end: number, allocated: number) {
    this.path = path;
    this.generation = generation;
    this.#file = file;
    this.#end = end;
    this.#allocated = allocated;
  }

  /** Bytes of durable frames. */
  get bytes(): number {
    return this.#end;
  }

  /** A new, empty, durable journal. Replaces what a crash may have left of one under that name. */
  static async create(dir: string, generation: number): Promise<JournalFile> {
    const path = join(dir, journalName(generation));
    const file = await openForAppend(path, constants.O_CREAT | constants.O_TRUNC);
    try {
      const journal = new JournalFile(path, generation, file, 0, 0);
      const header: JournalHeader = { format: "vendetta-journal", formatVersion: journalFormatVersion, generation };
      await journal.append([encodeFrame(JSON.stringify(header))]);
      await syncDirectory(dirname(path));
      return journal;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Goes on with a journal after its last whole frame; anything behind that is cut off first. */
  static async reopen(dir: string, generation: number, end: number): Promise<JournalFile> {
    const path = join(dir, journalName(generation));
    const file = await openForAppend(path, 0);
    try {
      await file.truncate(end);
      await file.datasync();
      return new JournalFile(path, generation, file, end, end);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Resolves when the frame is durable. After a rejection nothing may be appended before `cutBack` has resolved. */
  async append(frame: readonly Buffer[]): Promise<void> {
    const frameBytes = frame.reduce((sum, part) => sum + part.length, 0);
    const end = this.#end + frameBytes;
    const needed = end > this.#allocated;
    const parts = needed ? [...frame, room] : frame;
    await this.#write(parts, frameBytes + (needed ? roomBytes : 0));
    if (needed) this.#allocated = end + roomBytes;
    this.#end = end;
  }

  async #write(parts: readonly Buffer[], bytes: number): Promise<void> {
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes);
    for (let written = 0; written < bytes; ) {
      written += (await this.#file.write(whole, written, bytes - written, this.#end + written)).bytesWritten;
    }
    if (constants.O_DSYNC === undefined) await this.#file.datasync();
  }

  /** Takes a frame that could not be written off the file again, durably. */
  async cutBack(): Promise<void> {
    await this.#file.truncate(this.#end);
    await this.#file.datasync();
    this.#allocated = this.#end;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** With O_DSYNC a write is durable when it returns: one trip to the thread pool instead of two. Source: open(2). */
function openForAppend(path: string, flags: number): Promise<FileHandle> {
  return open(path, constants.O_RDWR | (constants.O_DSYNC ?? 0) | flags, 0o600);
}

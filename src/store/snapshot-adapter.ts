import { open, readFile, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { Adapter } from "lowdb";
import { codeOf } from "../base/errors.ts";
import type { AnyObject } from "../api/registry.ts";
import { encodeFrame, readFrames } from "./frame.ts";
import { damaged, StoreOpenError } from "./store-open-error.ts";
import { syncDirectory } from "../base/sync-directory.ts";

/** The whole state at one version, and the journal that goes on from it. */
export interface Snapshot {
  readonly version: number;
  /** Generation of the first journal with later commits. */
  readonly journal: number;
  readonly objects: readonly AnyObject[];
}

interface SnapshotHeader {
  readonly format: "vendetta-snapshot";
  readonly formatVersion: number;
  readonly version: number;
  readonly journal: number;
  readonly objects: number;
}

const formatVersion = 1;
/** Text put together before it is written and the event loop gets its turn: a millisecond. Characters. */
const chunkCharacters = 64 * 1024;
/** Synced in steps: one large sync at the end would hold up the journal's small ones. Bytes. */
const syncBytes = 1024 * 1024;

/**
 * lowdb's file adapter with durability: lowdb's own neither syncs nor uses a temporary name of its own. Frames of up to
 * some hundred objects, each with a checksum, so that a large state is written without holding up the event loop.
 */
export class SnapshotAdapter implements Adapter<Snapshot> {
  readonly path: string;
  readonly #unique: () => string;
  /** Size of the snapshot last read or written. */
  bytes = 0;

  constructor(path: string, unique: () => string) {
    this.path = path;
    this.#unique = unique;
  }

  /** Null when there is none. @throws StoreOpenError when it is damaged or of a newer format */
  async read(): Promise<Snapshot | null> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    }
    const { frames, end, rest } = readFrames(bytes);
    // It was renamed into place when it was whole: anything less is damage.
    if (rest !== "nothing" || frames[0] === undefined) throw damaged(this.path, end, "the checksum does not match");
    const header = JSON.parse(frames[0].payload.toString()) as SnapshotHeader;
    if (header.format !== "vendetta-snapshot" || header.formatVersion > formatVersion) {
      throw new StoreOpenError(`Cannot open the store: ${this.path} has format ${header.format} ${header.formatVersion}, this vendetta reads ${formatVersion}; use the newer vendetta that wrote it`);
    }
    const objects: AnyObject[] = [];
    for (const { payload } of frames.slice(1)) for (const object of JSON.parse(payload.toString()) as AnyObject[]) objects.push(object);
    if (objects.length !== header.objects) throw damaged(this.path, end, `it holds ${objects.length} of ${header.objects} objects`);
    this.bytes = bytes.length;
    return { version: header.version, journal: header.journal, objects };
  }

  /** Replaces the snapshot, or leaves the old one. When it resolves the new one is durable, under its name. */
  async write({ version, journal, objects }: Snapshot): Promise<void> {
    const temporary = `${this.path}.${this.#unique()}.tmp`;
    try {
      const file = await open(temporary, "wx", 0o600);
      let bytes: number;
      try {
        const header: SnapshotHeader = { format: "vendetta-snapshot", formatVersion, version, journal, objects: objects.length };
        bytes = await writeAll(file, header, objects);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
      this.bytes = bytes;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncDirectory(dirname(this.path));
  }
}

async function writeAll(file: FileHandle, header: SnapshotHeader, objects: readonly AnyObject[]): Promise<number> {
  let bytes = 0;
  let synced = 0;
  const write = async (json: string) => {
    const frame = encodeFrame(json);
    await file.writeFile(frame);
    bytes += frame.length;
    if (bytes - synced < syncBytes) return;
    await file.datasync();
    synced = bytes;
  };
  await write(JSON.stringify(header));
  let texts: string[] = [];
  let characters = 0;
  for (const object of objects) {
    const text = JSON.stringify(object);
    texts.push(text);
    characters += text.length;
    if (characters < chunkCharacters) continue;
    await write(`[${texts.join(",")}]`);
    texts = [];
    characters = 0;
  }
  if (texts.length > 0) await write(`[${texts.join(",")}]`);
  return bytes;
}

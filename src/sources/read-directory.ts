import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { dirname } from "node:path";
import { sleep, TimeoutError, timeoutSignal, type Clock } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import { untilAborted } from "../base/until-aborted.ts";
import type { ManifestText } from "../manifests/read-manifests.ts";
import { isCheckingOut } from "./checkout-lock.ts";
import { scanDirectory, TooManyFilesError, type DirectoryScan } from "./scan-directory.ts";
import type { Reading } from "./source-reader.ts";

/** Files that have been the same for so long are taken to be written to their end. */
export const restMs = 150;
/** A directory that does not come to rest within this time is read later. */
const restMsMax = 3_000;
/** So long the files' times are believed; some file systems have coarse ones. */
const trustTimesMs = 5 * 60_000;
/** A file system that does not answer by then. */
const readMsMax = 20_000;
export const setBytesMax = 64 * 1024 * 1024;
const atOnceMax = 32;

export interface ReadDirectoryOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What the last reading found: when nothing was touched since, nothing need be waited for. */
  readonly known: KnownDirectory | undefined;
  /** Read every file, whatever its times say. */
  readonly fresh?: boolean;
}

/** A reading that was at rest. */
export interface KnownDirectory {
  readonly signature: string;
  readonly reading: Extract<Reading, { readonly kind: "read" }>;
  /** When its files were read, on the monotonic clock. */
  readonly readMs: number;
}

/** A reading, and how what was read lay there. */
export interface DirectoryReading {
  readonly reading: Reading;
  readonly scan?: DirectoryScan;
  readonly known?: KnownDirectory;
}

/** Reads all manifests of a directory as they are at one moment, at which nobody was writing to them. */
export async function readDirectory(directory: string, options: ReadDirectoryOptions): Promise<DirectoryReading> {
  const { clock, signal } = options;
  using bound = timeoutSignal(clock, readMsMax, `Reading ${directory}`, signal);
  try {
    return await untilAborted(readAtRest(directory, { ...options, signal: bound.signal }), bound.signal);
  } catch (error) {
    signal.throwIfAborted();
    return { reading: await unreadable(directory, error, bound.signal) };
  }
}

async function readAtRest(directory: string, { clock, signal, known, fresh = false }: ReadDirectoryOptions): Promise<DirectoryReading> {
  const begunMs = clock.monotonic();
  let scan = await scanDirectory(directory, signal);
  // A file that was at rest when it was read has another time when it is written again.
  if (!fresh && known !== undefined && known.signature === scan.signature && begunMs - known.readMs < trustTimesMs) return { scan, known, reading: known.reading };
  for (let accepted = known?.signature; clock.monotonic() - begunMs < restMsMax; ) {
    if (scan.signature !== accepted) {
      await sleep(clock, restMs, signal);
      const again = await scanDirectory(directory, signal);
      const isAtRest = again.signature === scan.signature;
      scan = again;
      if (!isAtRest) continue;
      accepted = scan.signature;
    }
    const texts = await readTexts(scan, signal);
    const isCheckedOut = await isCheckingOut(scan.root, clock.now());
    const after = await scanDirectory(directory, signal);
    if (isCheckedOut) accepted = undefined;
    else if (texts !== undefined && after.signature === scan.signature) {
      const reading = { kind: "read", revision: revisionOf(texts), texts, problems: scan.problems } as const;
      return { scan, reading, known: { signature: scan.signature, reading, readMs: clock.monotonic() } };
    }
    scan = after;
  }
  return { reading: { kind: "unreadable", reason: "Changing", message: `${directory} has been written to all the time for ${restMsMax / 1000} s; it is read when it is at rest` } };
}

/** undefined: a file has gone since the scan. @throws system errors, TooManyFilesError */
async function readTexts({ files }: DirectoryScan, signal: AbortSignal): Promise<readonly ManifestText[] | undefined> {
  const bytes = files.reduce((sum, each) => sum + each.bytes, 0);
  if (bytes > setBytesMax) throw new TooManyFilesError(`its manifests have ${bytes} bytes; at most ${setBytesMax} are read`);
  const texts: ManifestText[] = [];
  for (let from = 0; from < files.length; from += atOnceMax) {
    signal.throwIfAborted();
    try {
      texts.push(...(await Promise.all(files.slice(from, from + atOnceMax).map(async ({ name, path }): Promise<ManifestText> => ({ name, directory: dirname(path), text: await readFile(path, { encoding: "utf8", signal }) })))));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }
  return texts;
}

/** The same for the same files with the same content. */
export function revisionOf(texts: readonly ManifestText[]): string {
  const hash = createHash("sha256");
  for (const { name, text } of texts) hash.update(`${Buffer.byteLength(name)} ${Buffer.byteLength(text)}\n${name}${text}`);
  return `sha256:${hash.digest("hex")}`;
}

const reasons: Readonly<Record<string, readonly [reason: string, message: string]>> = {
  ENOENT: ["NotFound", "there is no such directory"],
  ENOTDIR: ["NotADirectory", "it is no directory"],
  EACCES: ["PermissionDenied", "the server's user may not read"],
  EPERM: ["PermissionDenied", "the server's user may not read"],
  ELOOP: ["NotFound", "its links lead round in a circle"],
};

async function unreadable(directory: string, error: unknown, signal: AbortSignal): Promise<Reading> {
  const { path } = error as { readonly path?: unknown };
  const part = typeof path === "string" && path !== directory ? path : undefined;
  if (error instanceof TooManyFilesError) return { kind: "unreadable", reason: "TooLarge", message: `Cannot read ${directory}: ${error.message}` };
  if (error instanceof TimeoutError) return { kind: "unreadable", reason: "NoAnswer", message: `Cannot read ${directory}: its file system has not answered for ${readMsMax / 1000} s` };
  const [reason, message] = reasons[codeOf(error) ?? ""] ?? ["Unreadable", messageOf(error)];
  if (reason === "PermissionDenied") return { kind: "unreadable", reason, message: `Cannot read ${directory}: ${message} ${part ?? "it"}` };
  const target = codeOf(error) === "ENOENT" && part === undefined ? await targetOf(directory, signal) : undefined;
  if (target !== undefined) return { kind: "unreadable", reason, message: `Cannot read ${directory}: it is a link to ${target}, and that is not there` };
  return { kind: "unreadable", reason, message: `Cannot read ${directory}: ${message}${part === undefined ? "" : ` (${part})`}` };
}

/** Where a link leads, as it is written; undefined: it is none, or nobody can tell. */
async function targetOf(path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await untilAborted(readlink(path), signal);
  } catch (error) {
    if (codeOf(error) !== undefined) return undefined;
    throw error;
  }
}

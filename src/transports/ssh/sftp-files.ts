import { posix } from "node:path";
import type { SFTPWrapper } from "ssh2";
import type { Random } from "../../base/random.ts";
import type { RawFiles } from "./exec-files.ts";
import { fileFailure, isSftpStatus } from "./file-error.ts";

/** Every server takes so much in one request (draft-ietf-secsh-filexfer-02, 3). */
const pieceBytes = 32 * 1024;
/** Requests under way at once: on a long way the answers' time, not the line, is what a file costs. */
const piecesMax = 16;
/** Status codes. */
const endOfFile = 1;
const noSuchFile = 2;

type Done<T> = (error: Error | null | undefined, value?: T) => void;
const ask = <T>(request: (done: Done<T>) => unknown): Promise<T> =>
  new Promise((resolve, reject) => {
    request((error, value) => (error === undefined || error === null ? resolve(value as T) : reject(error)));
  });

/** The server has no rename over a file that is there (posix-rename@openssh.com). */
export class NoAtomicRename extends Error {}

/** Files by SFTP version 3 and OpenSSH's extensions. Errors are ssh2's, by the status code. */
export function createSftpFiles(sftp: SFTPWrapper, random: Random): RawFiles {
  const withHandle = async <T>(path: string, flags: "r" | "wx", act: (handle: Buffer) => Promise<T>, mode?: number): Promise<T> => {
    const handle = await ask<Buffer>((done) => (mode === undefined ? sftp.open(path, flags, done) : sftp.open(path, flags, { mode }, done)));
    try {
      return await act(handle);
    } finally {
      await ask<void>((done) => sftp.close(handle, done));
    }
  };

  const mkdir = async (path: string, mode: number): Promise<void> => {
    try {
      await ask<void>((done) => sftp.mkdir(path, { mode }, done));
    } catch (error) {
      if (isSftpStatus(error, noSuchFile) && posix.dirname(path) !== path) {
        await mkdir(posix.dirname(path), mode);
        return await mkdir(path, mode);
      }
      // It says no more than "failure" when the directory is there.
      if ((await isDirectory(sftp, path)) !== true) throw error;
    }
  };

  return {
    read: (path, bytesMax) => withHandle(path, "r", (handle) => readAll(sftp, handle, bytesMax)),
    async write(path, data, mode) {
      const folder = posix.dirname(path);
      if ((await isDirectory(sftp, folder)) === undefined) await mkdir(folder, 0o700);
      const temporary = `${path}.${random.uuid()}.tmp`;
      try {
        await withHandle(
          temporary,
          "wx",
          async (handle) => {
            await writeAll(sftp, handle, data);
            // The umask may have taken bits away.
            await ask<void>((done) => sftp.fchmod(handle, mode, done));
            await sync(sftp, handle);
          },
          mode,
        );
        await rename(sftp, temporary, path);
      } catch (error) {
        await ask<void>((done) => sftp.unlink(temporary, done)).catch(() => {}); // It may never have been made.
        throw error;
      }
      await withHandle(folder, "r", (handle) => sync(sftp, handle));
    },
    async list(path) {
      const names = await ask<readonly { readonly filename: string }[]>((done) => sftp.readdir(path, done));
      return names.map(({ filename }) => filename);
    },
    mkdir,
  };
}

/** In pieces, several at once. A short piece is not the end: files in /proc come so. */
async function readAll(sftp: SFTPWrapper, handle: Buffer, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  const piece = async (position: number): Promise<Buffer> => {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    try {
      const bytes = await ask<number>((done) => sftp.read(handle, buffer, 0, pieceBytes, position, done));
      return buffer.subarray(0, bytes);
    } catch (error) {
      if (isSftpStatus(error, endOfFile)) return buffer.subarray(0, 0);
      throw error;
    }
  };
  for (let atOnce = 1; ; ) {
    const pieces = await Promise.all(Array.from({ length: atOnce }, (_, n) => piece(length + n * pieceBytes)));
    atOnce = Math.min(atOnce * 2, piecesMax);
    for (const chunk of pieces) {
      if (chunk.length === 0) return Buffer.concat(chunks, length);
      chunks.push(chunk);
      length += chunk.length;
      if (length > bytesMax) throw new Error(`it has more than ${bytesMax} bytes`);
      if (chunk.length < pieceBytes) {
        // What was asked for after it was asked for at the wrong place.
        atOnce = 1;
        break;
      }
    }
  }
}

async function writeAll(sftp: SFTPWrapper, handle: Buffer, data: Buffer): Promise<void> {
  for (let start = 0; start < data.length; start += pieceBytes * piecesMax) {
    const positions = Array.from({ length: piecesMax }, (_, n) => start + n * pieceBytes).filter((position) => position < data.length);
    await Promise.all(positions.map((position) => ask<void>((done) => sftp.write(handle, data, position, Math.min(pieceBytes, data.length - position), position, done))));
  }
}

/** On disk, where the server can say so (fsync@openssh.com). */
async function sync(sftp: SFTPWrapper, handle: Buffer): Promise<void> {
  try {
    await ask<unknown>((done) => sftp.ext_openssh_fsync(handle, done));
  } catch (error) {
    // A server without the extension, or a file system that cannot sync a directory, gives what it has.
    if ((error as { readonly code?: unknown }).code === undefined && !/not support/.test((error as Error).message)) throw error;
  }
}

async function rename(sftp: SFTPWrapper, from: string, to: string): Promise<void> {
  try {
    await ask<void>((done) => sftp.ext_openssh_rename(from, to, done));
  } catch (error) {
    if (/not support/.test((error as Error).message)) throw new NoAtomicRename();
    if ((await isDirectory(sftp, to)) === true) throw fileFailure("EISDIR");
    throw error;
  }
}

/** Undefined when there is nothing. */
async function isDirectory(sftp: SFTPWrapper, path: string): Promise<boolean | undefined> {
  try {
    return (await ask<{ isDirectory(): boolean }>((done) => sftp.stat(path, done as never))).isDirectory();
  } catch (error) {
    if (isSftpStatus(error, noSuchFile)) return undefined;
    throw error;
  }
}

import { chmod, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import { codeOf, messageOf } from "../base/errors.ts";
import { TransportError, type TransportFiles } from "./transport.ts";

/** Files of this machine. */
export function createLocalFiles(): TransportFiles {
  return {
    read: (path, bytesMax) =>
      guarded(`read ${path}`, async () => {
        await using file = await open(path, "r");
        const { size } = await file.stat();
        if (size > bytesMax) throw new Error(`it has ${size} bytes, more than ${bytesMax}`);
        // Files in /proc say they are empty, and devices need have no end: read until the end, but no further than the bound.
        const chunks: Buffer[] = [];
        let length = 0;
        for await (const chunk of file.createReadStream({ start: 0, end: bytesMax, autoClose: false })) {
          chunks.push(chunk as Buffer);
          length += (chunk as Buffer).length;
        }
        if (length > bytesMax) throw new Error(`it has more than ${bytesMax} bytes`);
        return Buffer.concat(chunks, length);
      }),
    write: (path, data, mode = 0o600) =>
      guarded(`write ${path}`, async () => {
        const folder = dirname(path);
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const temporary = `${path}.${randomUUID()}.tmp`;
        try {
          {
            await using file = await open(temporary, "wx", mode);
            await file.writeFile(data);
            // The umask may have taken bits away.
            await chmod(temporary, mode);
            await file.sync();
          }
          await rename(temporary, path);
        } catch (error) {
          await rm(temporary, { force: true });
          throw error;
        }
        await using parent = await open(folder, "r");
        await parent.sync();
      }),
    list: (path) =>
      guarded(`list ${path}`, async () => {
        try {
          return (await readdir(path)).sort();
        } catch (error) {
          if (codeOf(error) === "ENOENT") return [];
          throw error;
        }
      }),
    mkdir: (path, mode = 0o700) => guarded(`make ${path}`, async () => void (await mkdir(path, { recursive: true, mode }))),
    remove: (path) => guarded(`remove ${path}`, () => rm(path, { recursive: true, force: true })),
  };
}

async function guarded<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw new TransportError(`cannot ${what}: ${messageOf(error)}`, true, { cause: error });
  }
}

import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "./sync-directory.ts";

/**
 * Replaces a file, or leaves the old one: a reader never sees half of it. When it resolves the new one is durable, under
 * its name, and this user's alone (0600). One process writes a file at a time.
 */
export async function writeFileDurably(path: string, text: string): Promise<void> {
  // A crash's leftover of the same name is written over.
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(temporary, "w", 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

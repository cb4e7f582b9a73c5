import { open } from "node:fs/promises";

/** Makes the names in a directory durable: files created, renamed or removed there. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

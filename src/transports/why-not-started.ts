import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join, resolve } from "node:path";

/**
 * Why the kernel would not start a program on this machine: ENOTDIR, there is no such directory to work in; ENOENT, no such
 * program; EACCES, it cannot be run. Undefined: nothing is in the way. A spawn says ENOENT of the first as well.
 */
export async function whyNotStarted(program: string, cwd: string, searchPath: string): Promise<"ENOTDIR" | "ENOENT" | "EACCES" | undefined> {
  if ((await kindOf(cwd)) !== "directory") return "ENOTDIR";
  const places = program.includes("/") ? [resolve(cwd, program)] : searchPath.split(":").map((directory) => join(resolve(cwd, directory), program));
  let found = false;
  for (const place of places) {
    const kind = await kindOf(place);
    if (kind === "program") return undefined;
    found ||= kind !== "none";
  }
  return found ? "EACCES" : "ENOENT";
}

async function kindOf(path: string): Promise<"directory" | "program" | "other" | "none"> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return "none";
  if (found.isDirectory()) return "directory";
  return await access(path, constants.X_OK).then(() => (found.isFile() ? "program" : "other"), () => "other");
}

import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { codeOf } from "../base/errors.ts";

/** A lock that is older was left behind by a git that was killed. */
const lockMsMax = 60_000;

/**
 * Whether git is at work on the checkout that the directory is in: between two files it may rest for long, as with filters that fetch them.
 * Source: gitrepository-layout(5), "index.lock" as git(1)'s commands on the working tree hold it.
 * @param nowMs by the clock that files' times are of
 */
export async function isCheckingOut(directory: string, nowMs: number): Promise<boolean> {
  for (let at = directory; ; at = dirname(at)) {
    const gitDir = await gitDirectoryOf(join(at, ".git"));
    if (gitDir !== undefined) {
      const lock = await orAbsent(stat(join(gitDir, "index.lock")));
      return lock !== undefined && nowMs - lock.mtimeMs < lockMsMax;
    }
    if (dirname(at) === at) return false;
  }
}

async function gitDirectoryOf(path: string): Promise<string | undefined> {
  const found = await orAbsent(stat(path));
  if (found === undefined || found.isDirectory()) return found && path;
  // Of a worktree it is a file that says where.
  const [, to] = /^gitdir: (.+)$/m.exec(await readFile(path, "utf8")) ?? [];
  return to === undefined ? undefined : resolve(dirname(path), to);
}

async function orAbsent<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    // What may not be looked at is somebody else's.
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

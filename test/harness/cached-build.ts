import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Kept between runs, outside of the repository. */
const cacheDir = process.env["VENDETTA_TEST_CACHE"] ?? join(homedir(), ".cache", "vendetta-test");

/** A build of another process that takes longer was killed, or never ends. */
const lockedMsMax = 10 * 60_000;
const pollMs = 200;

/**
 * The directory that `build` filled, in this run or an earlier one. `inputs` are what its content depends on: when they change, it is
 * built anew. One process builds at a time; a build that was cut off leaves nothing that is taken for whole.
 */
export async function cachedBuild(name: string, inputs: readonly string[], build: (directory: string) => void | Promise<void>): Promise<string> {
  const hash = createHash("sha256").update(inputs.join("\0")).digest("hex").slice(0, 16);
  const whole = join(cacheDir, `${name}-${hash}`);
  if (existsSync(whole)) return whole;
  mkdirSync(cacheDir, { recursive: true });
  using _lock = await lock(join(cacheDir, `${name}.lock`));
  if (existsSync(whole)) return whole;
  const directory = mkdtempSync(join(cacheDir, `${name}.new-`));
  try {
    await build(directory);
    renameSync(directory, whole);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return whole;
}

async function lock(path: string): Promise<Disposable> {
  const until = Date.now() + lockedMsMax;
  for (;;) {
    try {
      mkdirSync(path);
      writeFileSync(join(path, "pid"), String(process.pid));
      return { [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (!holderLives(path)) rmSync(path, { recursive: true, force: true });
      else if (Date.now() > until) throw new Error(`${path} is held by another process for too long`, { cause: error });
      else await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

function holderLives(path: string): boolean {
  let pid: string;
  try {
    pid = readFileSync(join(path, "pid"), "utf8");
  } catch {
    return true; // It is about to write it, or has let go.
  }
  return existsSync(`/proc/${pid}`);
}

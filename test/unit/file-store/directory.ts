import { spawnSync } from "node:child_process";
import { silentLogger, type Logger } from "../../../src/base/log.ts";
import { systemClock, systemRandom } from "../../../src/base/system.ts";
import { openFileStore, type FileStore, type FileStoreOptions } from "../../../src/store/file-store.ts";

export function open(dir: string, more: Partial<FileStoreOptions> = {}): Promise<FileStore> {
  return openFileStore({ dir, clock: systemClock, random: systemRandom, log: silentLogger, ...more });
}

/** A logger that keeps what it is told. */
export function keepingLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (message: string) => void lines.push(message);
  const logger = { lines, debug: keep, info: keep, warn: keep, error: keep, with: () => logger };
  return logger;
}

/** Mounts a tmpfs there; undefined when that is not permitted here. */
export function mountTmpfs(path: string, options: string): (AsyncDisposable & { remount(options: string): void }) | undefined {
  const run = (...argv: string[]) => spawnSync(argv[0]!, argv.slice(1), { encoding: "utf8" });
  if (process.platform !== "linux" || run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path).status !== 0) return undefined;
  return {
    remount(next) {
      const { status, stderr } = run("mount", "-o", `remount,${next}`, path);
      if (status !== 0) throw new Error(stderr);
    },
    async [Symbol.asyncDispose]() {
      // Lazy: a test that failed may not have closed its files.
      const { status, stderr } = run("umount", "--lazy", path);
      if (status !== 0) throw new Error(stderr);
    },
  };
}

/** A test that cannot run here: a counted skip on a user's machine, a failure where everything must run. */
export function missing(reason: string): string {
  if (process.env["CI"] === "true") throw new Error(`${reason}, and CI=true`);
  return reason;
}

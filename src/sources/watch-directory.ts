import { basename } from "node:path";
import { watch } from "chokidar";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { ignoreFileName, isManifestName, isSkippedDirectory } from "./scan-directory.ts";

/** A look-out for changes, on which nothing depends but how soon they are seen. */
export interface DirectoryWatch {
  close(): Promise<void>;
}

export interface WatchDirectoryOptions {
  /** Which paths below it are looked at. */
  readonly isWatched: (path: string, isDirectory: boolean) => boolean;
  readonly onHint: () => void;
  readonly log: Logger;
}

export function watchDirectory(root: string, { isWatched, onHint, log }: WatchDirectoryOptions): DirectoryWatch {
  const watcher = watch(root, {
    ignoreInitial: true,
    // A watch that chokidar begins while it is being closed is never ended: it must not keep the process.
    persistent: false,
    // Where links lead is looked at by each pass; what lies there may be huge.
    followSymlinks: false,
    ignored: (path, stats) => path !== root && stats !== undefined && !isWatched(path, stats.isDirectory()),
  });
  watcher.on("all", onHint);
  // What happened before the watch stood is seen by one more look.
  watcher.on("ready", onHint);
  // Too many watches in use, say: then changes are seen by the next pass.
  watcher.on("error", (error) => log.warn("changes of a directory are seen late", { directory: root, error: messageOf(error) }));
  return { close: () => watcher.close() };
}

/** What a set of manifests is made of. */
export function isManifestPath(path: string, isDirectory: boolean): boolean {
  const name = basename(path);
  return isDirectory ? !isSkippedDirectory(name) : name === ignoreFileName || isManifestName(name);
}

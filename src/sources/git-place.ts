import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join, relative } from "node:path";
import type { Source, SourceSpec } from "../api/source.ts";
import { TimeoutError } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import { TransportError } from "../transports/transport.ts";
import { createGit, GitError, type Git } from "./git.ts";
import { readGitTree, type GitTree } from "./git-tree.ts";
import type { SourcePlace, SourceReaderParts } from "./source-place.ts";
import type { Reading, ReadOptions, Trouble } from "./source-reader.ts";
import { watchDirectory, type DirectoryWatch } from "./watch-directory.ts";

const fetchMsMax = 120_000;
const gitMsMax = 20_000;
/** A fetch that is due a moment later is due now. */
const earlyMs = 100;
/** Each fetch of something new leaves a pack and its index; so many make it worth putting them together. */
const packFilesMax = 100;
/** Where the cache keeps what was fetched last. */
const headRef = "refs/vendetta/head";

type GitSpec = NonNullable<SourceSpec["git"]>;

/**
 * A directory of a git repository, read out of a bare cache that holds one commit of it: no working tree, so nothing half checked out, no
 * hook and no filter ever runs. A repository that cannot be asked leaves the last commit in force.
 */
export class GitPlace implements SourcePlace {
  readonly id: string;
  readonly #parts: SourceReaderParts;
  readonly #spec: GitSpec;
  readonly #directory: string;
  readonly #git: Git;
  readonly #hint: () => void;
  #fetchedMs: number | undefined;
  #isHinted = false;
  #trouble: Trouble | undefined;
  #tree: { readonly commit: string; readonly tree: GitTree } | undefined;
  #watch: DirectoryWatch | undefined;
  #closed = false;

  constructor(parts: SourceReaderParts, { metadata: { uid } }: Source, spec: GitSpec, id: string, hint: () => void) {
    this.#parts = parts;
    this.#spec = spec;
    this.id = id;
    this.#hint = hint;
    this.#directory = join(parts.cacheDir, cacheName(uid, spec));
    this.#git = createGit(parts.transport, parts.clock, this.#directory);
  }

  async read({ spec }: Source, { fresh, signal }: ReadOptions): Promise<Reading> {
    const { clock } = this.#parts;
    const intervalMs = (spec.git ?? this.#spec).intervalSeconds * 1000;
    await this.#lookOut();
    if (fresh || this.#isHinted || this.#fetchedMs === undefined || clock.monotonic() - this.#fetchedMs >= intervalMs - earlyMs) {
      this.#isHinted = false;
      try {
        this.#trouble = await this.#fetch(signal);
      } catch (error) {
        // It was given up: what was heard is still to be fetched.
        this.#isHinted = true;
        throw error;
      }
      this.#fetchedMs = clock.monotonic();
    }
    const commit = await this.#commit(signal);
    if (commit === undefined) {
      const trouble = this.#trouble ?? { reason: "FetchFailed", message: `${this.#spec.url} has no commit at ${this.#spec.ref}` };
      return { kind: "unreadable", ...trouble, stale: trouble };
    }
    try {
      if (this.#tree?.commit !== commit) this.#tree = { commit, tree: await readGitTree(this.#git, commit, this.#spec.path, signal) };
    } catch (error) {
      return { kind: "unreadable", ...troubleOf(error, `Cannot read ${this.#spec.path === "" ? "" : `${this.#spec.path} of `}commit ${commit.slice(0, 12)}`, "Unreadable"), stale: this.#trouble };
    }
    return { kind: "read", revision: commit, ...this.#tree.tree, stale: this.#trouble };
  }

  /** undefined: the cache holds what is there now. */
  async #fetch(signal: AbortSignal): Promise<Trouble | undefined> {
    const { url, ref } = this.#spec;
    try {
      await this.#init(signal);
      // A commit stays what it is.
      if (isCommit(ref) && (await this.#commit(signal)) === ref) return undefined;
      await this.#git.run(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--force", "--depth=1", "--", url, `+${ref}:${headRef}`], { timeoutMs: fetchMsMax, signal });
      await this.#tidy(signal);
      return undefined;
    } catch (error) {
      return troubleOf(error, `Cannot fetch ${ref} of ${url}`, "FetchFailed");
    }
  }

  async #init(signal: AbortSignal): Promise<void> {
    try {
      await stat(join(this.#directory, "HEAD"));
      return;
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
    await this.#parts.transport.files.mkdir(this.#directory);
    await this.#git.run(["init", "--quiet", "--bare"], { timeoutMs: gitMsMax, signal });
  }

  async #commit(signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await this.#git.run(["rev-parse", "--verify", "--quiet", `${headRef}^{commit}`], { timeoutMs: gitMsMax, signal })).trim();
    } catch (error) {
      // Nothing has been fetched yet, or what it was is gone.
      if (error instanceof GitError) return undefined;
      throw error;
    }
  }

  async #tidy(signal: AbortSignal): Promise<void> {
    const packs = await this.#parts.transport.files.list(join(this.#directory, "objects", "pack"));
    if (packs.length > packFilesMax) await this.#git.run(["gc", "--quiet", "--prune=now"], { timeoutMs: fetchMsMax, signal });
  }

  /** A repository of this machine tells when its branches move. */
  async #lookOut(): Promise<void> {
    if (this.#watch !== undefined || this.#closed) return;
    const gitDir = await localGitDirectory(this.#spec.url);
    if (gitDir === undefined || this.#watch !== undefined || this.#closed) return;
    this.#watch = watchDirectory(gitDir, {
      isWatched: (path) => !path.endsWith(".lock") && ["HEAD", "packed-refs", "refs"].includes(relative(gitDir, path).split("/")[0]!),
      onHint: () => {
        this.#isHinted = true;
        this.#hint();
      },
      log: this.#parts.log,
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#watch?.close();
  }

  async forget(): Promise<void> {
    await this.#parts.transport.files.remove(this.#directory);
  }
}

/** Another address or ref is another cache: what was fetched from the old one must never pass for the new one's. */
export function cacheName(uid: string, { url, ref }: Pick<GitSpec, "url" | "ref">): string {
  return `${uid}-${createHash("sha256").update(`${url}\n${ref}`).digest("hex").slice(0, 12)}`;
}

const isCommit = (ref: string) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(ref);

function troubleOf(error: unknown, what: string, reason: string): Trouble {
  if (error instanceof GitError || error instanceof TimeoutError || error instanceof TransportError) return { reason, message: `${what}: ${error.message}` };
  if (codeOf(error) !== undefined) return { reason, message: `${what}: ${messageOf(error)}` };
  throw error;
}

/** Where the branches of a repository on this machine are kept; undefined when it is elsewhere, or not there. */
async function localGitDirectory(url: string): Promise<string | undefined> {
  const path = url.startsWith("/") ? url : url.startsWith("file:///") ? fileURLToPath(url) : undefined;
  if (path === undefined) return undefined;
  for (const each of [join(path, ".git"), path]) {
    try {
      // Not only a directory of that name: a HEAD makes it a repository.
      await readFile(join(each, "HEAD"));
      return each;
    } catch (error) {
      if (!["ENOENT", "ENOTDIR", "EACCES"].includes(codeOf(error) ?? "")) throw error;
    }
  }
  return undefined;
}

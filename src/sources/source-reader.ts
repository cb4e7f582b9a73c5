import type { Source } from "../api/source.ts";
import type { Key } from "../base/keys.ts";
import type { ManifestProblem } from "../manifests/manifest-problem.ts";
import type { ManifestText } from "../manifests/read-manifests.ts";

/** `reason` is one CamelCase word. */
export interface Trouble {
  readonly reason: string;
  readonly message: string;
}

/** What a Source's place held at one moment. */
export type Reading =
  | {
      readonly kind: "read";
      /** Of all that was read: the same for the same content. `sha256:…`, or a commit. */
      readonly revision: string;
      /** In the order of their names, which are paths below the place. */
      readonly texts: readonly ManifestText[];
      /** Files that could not be taken: too large, a link that leads out. The set is not whole then. */
      readonly problems: readonly ManifestProblem[];
      /** The commit has no such directory: why there is nothing, and what to do. Whether that can be meant, the reader does not know. */
      readonly missing?: string | undefined;
      /** Why what was read may be old: the repository could not be asked. */
      readonly stale?: Trouble | undefined;
    }
  /** Nothing is known of what should be there (INV-5). `stale`: of a repository that could not be asked, whether or not an older commit is at hand. */
  | ({ readonly kind: "unreadable"; readonly stale?: Trouble | undefined } & Trouble);

export interface ReadOptions {
  /** Ask the repository whatever was heard of it a moment ago. */
  readonly fresh: boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads the places of Sources on the server's machine, and says when it is worth reading again.
 *
 * A reading is whole: while files are being written it waits until they have been the same for a moment, and comes back as
 * unreadable ("Changing") when they do not come to rest. Trouble is data; what is thrown is a fault of ours, or the signal's reason.
 */
export interface SourceReader {
  /** One at a time for each Source: who comes second waits. Begins to look out for changes there, if it does not yet. */
  read(source: Source, options: ReadOptions): Promise<Reading>;
  /** The Source is gone or suspended: ends the look-out. */
  release(key: Key): Promise<void>;
  /** And takes away what was kept of it. */
  forget(key: Key): Promise<void>;
  /** Told that something may have changed. A hint: it may come too often, or never. */
  onHint(listener: (key: Key) => void): void;
  close(): Promise<void>;
}

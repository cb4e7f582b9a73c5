import type { Source } from "../api/source.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Transport } from "../transports/transport.ts";
import type { Reading, ReadOptions } from "./source-reader.ts";

/** Where one Source's manifests are. */
export interface SourcePlace {
  /** Names the place: a Source that names another one has another place. */
  readonly id: string;
  read(source: Source, options: ReadOptions): Promise<Reading>;
  /** Ends the look-out. */
  close(): Promise<void>;
  /** Takes away what was kept of it. After `close`. */
  forget(): Promise<void>;
}

export interface SourceReaderParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Of the server's machine. */
  readonly transport: Transport;
  /** Where repositories are kept that were fetched. Absolute. */
  readonly cacheDir: string;
}

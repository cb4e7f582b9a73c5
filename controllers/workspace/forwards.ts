import type { Duplex } from "node:stream";

export interface Forward {
  readonly nodePort: number;
  /** Opens the far end for one connection. */
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
}

/** Local ports that the server itself carries to where they belong, for what the engine does not publish. */
export interface Forwards {
  /**
   * Makes these the forwards of `owner`: listens on what is new, closes what is no longer there (its connections too).
   * Resolves with the ports that cannot be listened on, and why.
   */
  sync(owner: string, wanted: readonly Forward[]): Promise<ReadonlyMap<number, string>>;
  close(): Promise<void>;
}

import type { Duplex } from "node:stream";
import type { Transport } from "../../src/transports/transport.ts";

export interface Forward {
  readonly nodePort: number;
  /** Opens the far end for one connection. */
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
  /** The machine whose 127.0.0.1 it is. Default: the server's. */
  readonly on?: Pick<Transport, "listen"> | undefined;
}

/** Ports that the server itself carries to where they belong: its own machine's, for what the engine does not publish, and other machines'. */
export interface Forwards {
  /**
   * Makes these the forwards of `owner`: listens on what is new, closes what is no longer there (its connections too).
   * Resolves with the ports that cannot be listened on, and why.
   */
  sync(owner: string, wanted: readonly Forward[]): Promise<ReadonlyMap<number, string>>;
  close(): Promise<void>;
}

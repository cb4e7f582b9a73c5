import type { Duplex } from "node:stream";
import type { Transport } from "../../transports/transport.ts";

/** A machine to get into as its root, by SSH. */
export interface GuestTarget {
  /** For messages: the instance's id. */
  readonly name: string;
  /** Public key lines it may show; empty: none is known yet. */
  readonly hostKeys: readonly string[];
  /** Asked about the key it shows when none is known, to learn it. */
  readonly onHostKey: (line: string) => Promise<boolean>;
  /** A stream to its sshd. Asked again after each that broke. */
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
}

/** How machines are got into: made where the program is put together, as a provider knows no SSH. */
export interface GuestWay {
  /** The public key line that a machine must let in as root. */
  publicKey(): Promise<string>;
  /** A key pair for a new machine to show, in OpenSSH's format. */
  makeHostKey(): { readonly privateKey: string; readonly publicKey: string };
  /** Nothing is connected before the first use. The caller closes it. */
  open(target: GuestTarget): Transport;
}

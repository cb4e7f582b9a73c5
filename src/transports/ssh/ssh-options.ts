import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { Transport } from "../transport.ts";
import type { HandshakeGate } from "./handshake-gate.ts";
import type { HostKey } from "./host-key.ts";
import type { SessionLimit } from "./session-limit.ts";
import type { SshCredentials } from "./ssh-login.ts";

/** Between two questions whether the machine still answers. */
export const keepaliveIntervalMs = 15_000;
/** So many without an answer in a row end the connection: two minutes of silence are lived through. */
export const keepaliveUnansweredMax = 8;
/** From the first byte to being let in. A password that somebody has to type is not in it: it was asked for before. */
export const handshakeMsMax = 30_000;
/** Before the second attempt in a row to connect; twice as long before each further one, give or take a half. */
export const reconnectMs = 250;
export const reconnectMsMax = 30_000;

export interface SshOptions {
  readonly host: string;
  /** Default 22. */
  readonly port?: number | undefined;
  readonly user: string;
  /** What the machine may show as its key: fingerprints (SHA256:…) or public key lines. */
  readonly hostKeys: readonly string[];
  /** Asked about a key when none is pinned, to learn it. A key that differs from the pinned ones is refused unasked. */
  readonly onHostKey?: ((key: HostKey) => boolean | Promise<boolean>) | undefined;
  /** Public key lines whose types are asked for first while none is pinned: a machine has several keys, and shows one. */
  readonly likelyHostKeys?: readonly string[] | undefined;
  readonly credentials: SshCredentials;
  /** The machine to go through (ProxyJump): its transport carries our connection, encrypted end to end. It stays the caller's. */
  readonly through?: Pick<Transport, "dial" | "name"> | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: the one of this process. */
  readonly gate?: HandshakeGate | undefined;
  /** Sessions at once on a connection, which all ways to one machine share. Default: OpenSSH's ten until the machine has told otherwise. */
  readonly sessionLimit?: SessionLimit | undefined;
  /** Defaults: the constants of the same names. */
  readonly keepaliveIntervalMs?: number | undefined;
  readonly keepaliveUnansweredMax?: number | undefined;
  readonly handshakeMsMax?: number | undefined;
  readonly reconnectMs?: number | undefined;
  readonly reconnectMsMax?: number | undefined;
}

/** "dev@10.0.0.5", with the port when it is not 22. For messages. */
export function nameOfMachine({ user, host, port = 22 }: Pick<SshOptions, "user" | "host" | "port">): string {
  return `${user}@${host.includes(":") ? `[${host}]` : host}${port === 22 ? "" : `:${port}`}`;
}

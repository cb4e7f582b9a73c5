import type { Node } from "../src/api/node.ts";
import type { Provider, ProviderName } from "../src/providers/provider.ts";
import type { Transport } from "../src/transports/transport.ts";

/** The way to one Node: its shell and its engines. */
export interface Machine {
  readonly transport: Transport;
  /** Every engine vendetta knows, whether or not it is usable there. */
  readonly providers: readonly Provider[];
  provider(name: ProviderName): Provider | undefined;
  /** Present when it is not the server's own machine. */
  readonly remote?: RemoteWay;
}

/** How the connection to a machine is. Times in milliseconds. */
export interface WayState {
  /** Since the epoch; undefined while there is none. */
  readonly connectedSinceMs: number | undefined;
  /** Of the last question whether the machine still answers. */
  readonly latencyMs: number | undefined;
  readonly reconnects: number;
  /** Why there is none, until there is one again. reason is one CamelCase word: Unreachable, HostKeyChanged, AuthenticationFailed … */
  readonly trouble: { readonly reason: string; readonly message: string } | undefined;
  /** Why there is none, or why the last one ended. */
  readonly lastError: string | undefined;
}

/** The connection to another machine. Node ports are then the server's machine's, and carried from there. */
export interface RemoteWay {
  /** For a Node's status: "dev@10.0.0.5:2222". */
  readonly address: string;
  readonly state: WayState;
  /**
   * Begins to watch the way while something is tried over it. When that failed, the answer tells whether the way held all
   * the while and the machine answers now: only then was it the thing itself that failed (INV-5).
   */
  watch(): (signal: AbortSignal) => Promise<boolean>;
  /** Asks whether the machine answers: true when it does not at once, or did not a moment ago. Takes no session of its sshd. */
  isSilent(signal: AbortSignal): Promise<boolean>;
  /** Whether its 127.0.0.1 is the server's own after all: node ports answer there, too. @throws TransportError, TimeoutError, the signal's reason */
  sharesLoopback(signal: AbortSignal): Promise<boolean>;
  /** Whether a node port can be bound on the server's machine now. */
  isNodePortFree(port: number): Promise<boolean>;
}

/** Hands out the machine of each Node; the composition root knows how they are made. */
export interface Machines {
  /** The same one until the part of the spec that says how it is reached changes; then the old one is closed. */
  of(node: Node): Machine;
  /** The Node is gone: closes what was open to it. */
  release(nodeName: string): Promise<void>;
}

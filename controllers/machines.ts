import type { Node } from "../src/api/node.ts";
import type { Provider, ProviderName } from "../src/providers/provider.ts";
import type { Transport } from "../src/transports/transport.ts";

/** The way to one Node: its shell and its engines. */
export interface Machine {
  readonly transport: Transport;
  /** Every engine vendetta knows, whether or not it is usable there. */
  readonly providers: readonly Provider[];
  provider(name: ProviderName): Provider | undefined;
}

/** Hands out the machine of each Node; the composition root knows how they are made. */
export interface Machines {
  /** The same one until the part of the spec that says how it is reached changes; then the old one is closed. */
  of(node: Node): Machine;
  /** The Node is gone: closes what was open to it. */
  release(nodeName: string): Promise<void>;
}

/**
 * A crossing: a port of another machine's loopback address that leads to a service elsewhere. It has the number of that
 * service's node port, which is one service's in the whole cluster, so what is told of it is the same from every machine.
 */
export interface Crossings {
  /** Whether 127.0.0.1:nodePort of that Node leads there now. A note of the last pass, not a record: it is found again. */
  state(nodeName: string, nodePort: number): CrossingState;
}

export type CrossingState =
  | { readonly kind: "up" }
  /** `message`: what is in the way, in words. */
  | { readonly kind: "down"; readonly message: string };

import { createCrossingReconciler, type CrossingControllerParts } from "../../controllers/crossing/controller.ts";
import type { Crossings } from "../../controllers/crossing/crossings.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Reconciler } from "../runtime/reconciler.ts";
import { createForwarder } from "../transports/forwarder.ts";
import { createLocalTransport } from "../transports/local.ts";

export interface OpenCrossingsParts extends Omit<CrossingControllerParts, "forwards" | "dial"> {
  /** Has the loop look at that Node again. */
  readonly wake: (nodeName: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The crossings, and the loop that keeps them up. */
export function openCrossings({ wake, clock, log, ...parts }: OpenCrossingsParts): { readonly reconciler: Reconciler & Crossings; close(): Promise<void> } {
  const forwards = createForwarder({ clock, log, onEnded: wake });
  const here = createLocalTransport({ clock });
  return {
    reconciler: createCrossingReconciler({ ...parts, forwards, dial: (nodePort, signal) => here.dial({ host: "127.0.0.1", port: nodePort }, signal) }),
    async close() {
      await forwards.close();
      await here.close();
    },
  };
}

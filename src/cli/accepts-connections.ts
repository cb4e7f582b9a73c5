import { connect } from "node:net";
import type { Clock } from "../base/clock.ts";
import { codeOf } from "../base/errors.ts";

/** A process that lives accepts far sooner. */
const acceptMsMax = 2000;

/**
 * Whether some process accepts connections at a unix socket; false when there is clearly none. What else is in the way
 * (permissions, a server that hangs) the first request tells in better words. A tenth of the cost of asking /livez.
 */
export function acceptsConnections(socketPath: string, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketPath });
    const done = (accepts: boolean) => {
      deadline[Symbol.dispose]();
      socket.destroy();
      resolve(accepts);
    };
    const deadline = clock.after(acceptMsMax, () => done(true));
    socket.once("connect", () => done(true));
    socket.once("error", (error) => done(!["ENOENT", "ECONNREFUSED", "ENOTDIR"].includes(codeOf(error) ?? "")));
  });
}

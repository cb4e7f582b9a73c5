import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";

interface ForwardTarget {
  readonly nodePort: number;
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
}

/** Connections carried at once by one forward; more are refused. */
const connectionsMax = 1024;
const dialTimeoutMs = 10_000;

interface Listening {
  readonly server: Server;
  readonly sockets: Set<Socket>;
  /** The newest way to the far end: a forward outlives what it was made with. */
  dial: ForwardTarget["dial"];
}

/**
 * Listens on 127.0.0.1 and carries each connection to what `dial` opens, byte for byte, half-close included. Back-pressure
 * is the streams' own. One forwarder serves many owners; ports are an owner's until it gives them up.
 */
export function createForwarder({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
  const owners = new Map<string, Map<number, Listening>>();

  const closeOne = (listening: Listening): Promise<void> =>
    new Promise((resolve) => {
      listening.server.close(() => resolve());
      for (const socket of listening.sockets) socket.destroy();
    });

  const carry = async (listening: Listening, near: Socket, nodePort: number) => {
    listening.sockets.add(near);
    near.once("close", () => listening.sockets.delete(near));
    // A connection that breaks is its two ends' business.
    near.on("error", () => near.destroy());
    try {
      using bound = timeoutSignal(clock, dialTimeoutMs, `dialing for port ${nodePort}`);
      const far = await listening.dial(bound.signal);
      if (near.destroyed) return void far.destroy();
      far.on("error", () => near.destroy());
      near.on("close", () => far.destroy());
      far.on("close", () => near.destroySoon());
      near.pipe(far);
      far.pipe(near);
    } catch (error) {
      log.debug("a forwarded connection found nobody", { port: nodePort, error: messageOf(error) });
      near.resetAndDestroy();
    }
  };

  const listen = ({ nodePort, dial }: ForwardTarget): Promise<Listening> =>
    new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, noDelay: true });
      const listening: Listening = { server, sockets: new Set(), dial };
      server.maxConnections = connectionsMax;
      server.on("connection", (near) => void carry(listening, near, nodePort));
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: nodePort, exclusive: true }, () => {
        server.off("error", reject);
        server.on("error", (error) => log.warn("a forward's socket failed", { port: nodePort, error: messageOf(error) }));
        resolve(listening);
      });
    });

  return {
    /** Makes these the forwards of `owner`; resolves with the ports that cannot be listened on, and why. */
    async sync(owner: string, wanted: readonly ForwardTarget[]): Promise<ReadonlyMap<number, string>> {
      const mine = owners.get(owner) ?? new Map<number, Listening>();
      const refused = new Map<number, string>();
      for (const [port, listening] of mine) {
        if (wanted.some((each) => each.nodePort === port)) continue;
        mine.delete(port);
        await closeOne(listening);
      }
      for (const target of wanted) {
        const known = mine.get(target.nodePort);
        if (known !== undefined) known.dial = target.dial;
        else {
          try {
            mine.set(target.nodePort, await listen(target));
          } catch (error) {
            refused.set(target.nodePort, messageOf(error));
          }
        }
      }
      if (mine.size === 0) owners.delete(owner);
      else owners.set(owner, mine);
      return refused;
    },
    async close(): Promise<void> {
      const all = [...owners.values()].flatMap((each) => [...each.values()]);
      owners.clear();
      await Promise.all(all.map(closeOne));
    },
  };
}

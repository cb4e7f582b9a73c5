import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { listenHere } from "./local-listen.ts";
import type { Transport } from "./transport.ts";

interface ForwardTarget {
  readonly nodePort: number;
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
  /** The machine whose port it is. Default: this one. */
  readonly on?: Pick<Transport, "listen"> | undefined;
}

const dialTimeoutMs = 10_000;
/** For another machine to listen: a connection may have to be made first. */
const listenTimeoutMs = 30_000;

interface Listening {
  readonly on: ForwardTarget["on"];
  readonly ending: AbortController;
  ended: Promise<unknown>;
  readonly connections: Set<Duplex>;
  /** The newest way to the far end: a forward outlives what it was made with. */
  dial: ForwardTarget["dial"];
}

export interface ForwarderOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Told when a forward of this owner ended by itself, as it does with the way to its machine. The next `sync` makes it anew. */
  readonly onEnded?: ((owner: string) => void) | undefined;
}

/**
 * Listens on 127.0.0.1 and carries each connection to what `dial` opens, byte for byte, half-close included. Back-pressure
 * is the streams' own. One forwarder serves many owners; ports are an owner's until it gives them up.
 */
export function createForwarder({ clock, log, onEnded }: ForwarderOptions) {
  const owners = new Map<string, Map<number, Listening>>();

  const closeOne = async (listening: Listening): Promise<void> => {
    listening.ending.abort(new Error("nobody needs it any more"));
    for (const connection of listening.connections) connection.destroy();
    await listening.ended;
  };

  const carry = async (listening: Listening, near: Duplex, nodePort: number) => {
    listening.connections.add(near);
    near.once("close", () => listening.connections.delete(near));
    // A connection that breaks is its two ends' business.
    near.on("error", () => near.destroy());
    try {
      using bound = timeoutSignal(clock, dialTimeoutMs, `dialing for port ${nodePort}`);
      const far = await listening.dial(bound.signal);
      if (near.destroyed) return void far.destroy();
      far.on("error", () => near.destroy());
      near.on("close", () => far.destroy());
      far.on("close", () => destroySoon(near));
      near.pipe(far);
      far.pipe(near);
    } catch (error) {
      log.debug("a forwarded connection found nobody", { port: nodePort, error: messageOf(error) });
      if (near instanceof Socket) near.resetAndDestroy();
      else near.destroy();
    }
  };

  /** @throws TransportError, TimeoutError */
  const listen = async (owner: string, mine: Map<number, Listening>, { nodePort, dial, on }: ForwardTarget): Promise<void> => {
    const listening: Listening = { on, ending: new AbortController(), ended: Promise.resolve(), connections: new Set(), dial };
    const onConnection = (near: Duplex) => void carry(listening, near, nodePort);
    using bound = timeoutSignal(clock, listenTimeoutMs, `listening on port ${nodePort}`);
    const giveUp = () => listening.ending.abort(bound.signal.reason);
    bound.signal.addEventListener("abort", giveUp, { once: true });
    const { ended } = await (on?.listen ?? listenHere)(nodePort, onConnection, listening.ending.signal);
    bound.signal.removeEventListener("abort", giveUp);
    mine.set(nodePort, listening);
    listening.ended = ended.then((why) => {
      if (why === undefined) return;
      log.debug("a forward has ended", { port: nodePort, error: messageOf(why) });
      if (mine.get(nodePort) === listening) mine.delete(nodePort);
      onEnded?.(owner);
    });
  };

  return {
    /** Makes these the forwards of `owner`; resolves with the ports that cannot be listened on, and why. */
    async sync(owner: string, wanted: readonly ForwardTarget[]): Promise<ReadonlyMap<number, string>> {
      const mine = owners.get(owner) ?? new Map<number, Listening>();
      owners.set(owner, mine);
      const refused = new Map<number, string>();
      for (const [port, listening] of mine) {
        if (wanted.some((each) => each.nodePort === port && each.on === listening.on)) continue;
        mine.delete(port);
        await closeOne(listening);
      }
      for (const target of wanted) {
        const known = mine.get(target.nodePort);
        if (known !== undefined) known.dial = target.dial;
        else {
          try {
            await listen(owner, mine, target);
          } catch (error) {
            refused.set(target.nodePort, messageOf(error));
          }
        }
      }
      if (mine.size === 0) owners.delete(owner);
      return refused;
    },
    async close(): Promise<void> {
      const all = [...owners.values()].flatMap((each) => [...each.values()]);
      owners.clear();
      await Promise.all(all.map(closeOne));
    },
  };
}

/** As a socket's own: what was written still goes out. */
function destroySoon(connection: Duplex): void {
  if (connection.writableFinished || connection.destroyed) return void connection.destroy();
  connection.end();
  connection.once("finish", () => connection.destroy());
}

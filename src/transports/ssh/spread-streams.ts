import { timeoutSignal, type Clock } from "../../base/clock.ts";
import { untilAborted } from "../../base/until-aborted.ts";
import { TransportError, type Transport } from "../transport.ts";
import type { SshTransport } from "./ssh-transport.ts";

/** Connections besides the first one. */
const connectionsMax = 15;
/** One that carries nothing any more is kept so long for the next stream. */
const idleMsMax = 30_000;
/** Commands that may wait for a connection with room, and how long each may. */
const waitingMax = 1000;
const waitMsMax = 45_000;

export interface SpreadStreamsParts {
  /** Carries everything that ends soon, and the first streams. */
  readonly main: SshTransport;
  /** Makes the way to the same machine once more; connected when it is used. */
  readonly another: () => SshTransport;
  readonly clock: Clock;
}

interface Carrier {
  readonly transport: SshTransport;
  streams: number;
  idle: Disposable | undefined;
}

/**
 * The machine as one transport, whose `exec` spreads over connections: a stream holds a session of its sshd for as long as
 * it lasts (supervisors' last for ever), and a connection whose sessions are all held could run no command to its end any
 * more, not even one that ends a stream.
 */
export function spreadStreams({ main, another, clock }: SpreadStreamsParts): Transport {
  const first: Carrier = { transport: main, streams: 0, idle: undefined };
  const others = new Set<Carrier>();
  const closing = new Set<Promise<void>>();
  const waiting: ((carrier: Carrier) => void)[] = [];

  const drop = (carrier: Carrier) => {
    others.delete(carrier);
    carrier.idle?.[Symbol.dispose]();
    const closed = carrier.transport.close();
    closing.add(closed);
    return closed.finally(() => closing.delete(closed));
  };
  /** One with room for a stream more; undefined while there is none. */
  const carrierWithRoom = (): Carrier | undefined => {
    // Half of what is left beside the keeper and SFTP stays for what ends soon; on the others the keeper is alone with streams.
    const { sessionsLimit } = main;
    if (first.streams < Math.floor((sessionsLimit - 2) / 2)) return first;
    const most = Math.max(1, sessionsLimit - 2);
    for (const each of others) if (each.streams < most) return each;
    if (others.size >= connectionsMax) return undefined;
    const made: Carrier = { transport: another(), streams: 0, idle: undefined };
    others.add(made);
    return made;
  };
  const claim = (carrier: Carrier) => {
    carrier.streams++;
    carrier.idle?.[Symbol.dispose]();
    return carrier;
  };
  const serve = () => {
    while (waiting.length > 0) {
      const carrier = carrierWithRoom();
      if (carrier === undefined) return;
      waiting.shift()!(claim(carrier));
    }
  };
  /** Never beside a stream that may last for ever on a connection that has room for one: first come, first served, where one has ended. */
  const carrierFor = async (signal: AbortSignal | undefined): Promise<Carrier> => {
    const carrier = waiting.length === 0 ? carrierWithRoom() : undefined;
    if (carrier !== undefined) return claim(carrier);
    if (waiting.length >= waitingMax) throw new TransportError(`${main.name}: ${waitingMax} commands wait for a session already; try again later`, false);
    let go: (carrier: Carrier) => void = () => {};
    const turn = new Promise<Carrier>((resolve) => (go = resolve));
    waiting.push(go);
    using bound = timeoutSignal(clock, waitMsMax, "waiting for a session", signal);
    try {
      return await untilAborted(turn, bound.signal);
    } catch (error) {
      const at = waiting.indexOf(go);
      // Its turn came in the same moment.
      if (at < 0) void turn.then(giveBack);
      else waiting.splice(at, 1);
      if (signal?.aborted === true) throw error;
      throw new TransportError(`${main.name}: all ${connectionsMax} connections are full of commands that last, as its sshd allows only ${main.sessionsLimit} sessions on each; raise MaxSessions in its sshd_config, or run fewer`, false, { cause: error });
    }
  };
  const giveBack = (carrier: Carrier) => {
    carrier.streams--;
    serve();
    if (carrier === first || carrier.streams > 0 || !others.has(carrier)) return;
    carrier.idle = clock.after(idleMsMax, () => void drop(carrier));
  };

  return {
    name: main.name,
    run: (argv, options) => main.run(argv, options),
    async exec(argv, options) {
      const carrier = await carrierFor(options.signal);
      try {
        const stream = await carrier.transport.exec(argv, options);
        const ended = () => giveBack(carrier);
        stream.exit.then(ended, ended);
        return stream;
      } catch (error) {
        giveBack(carrier);
        throw error;
      }
    },
    dial: (target, signal) => main.dial(target, signal),
    listen: (port, onConnection, signal) => main.listen(port, onConnection, signal),
    isPortFree: (port) => main.isPortFree(port),
    files: main.files,
    async close() {
      await Promise.all([...[...others].map(drop), main.close()]);
      await Promise.all(closing);
    },
  };
}

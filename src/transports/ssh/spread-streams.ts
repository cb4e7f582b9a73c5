import type { Clock } from "../../base/clock.ts";
import type { Transport } from "../transport.ts";
import type { SshTransport } from "./ssh-transport.ts";

/** Connections besides the first one. */
const connectionsMax = 15;
/** One that carries nothing any more is kept so long for the next stream. */
const idleMsMax = 30_000;

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

  const drop = (carrier: Carrier) => {
    others.delete(carrier);
    carrier.idle?.[Symbol.dispose]();
    const closed = carrier.transport.close();
    closing.add(closed);
    return closed.finally(() => closing.delete(closed));
  };
  const carrierNow = (): Carrier => {
    // Half of what is left beside the keeper and SFTP stays for what ends soon; on the others the keeper is alone with streams.
    const { sessionsLimit } = main;
    if (first.streams < Math.floor((sessionsLimit - 2) / 2)) return first;
    const most = Math.max(1, sessionsLimit - 2);
    for (const each of others) if (each.streams < most) return each;
    // Beyond the bound the budget of the least busy one decides who waits.
    if (others.size >= connectionsMax) return [...others].reduce((least, each) => (each.streams < least.streams ? each : least));
    const made: Carrier = { transport: another(), streams: 0, idle: undefined };
    others.add(made);
    return made;
  };
  const giveBack = (carrier: Carrier) => {
    carrier.streams--;
    if (carrier === first || carrier.streams > 0 || !others.has(carrier)) return;
    carrier.idle = clock.after(idleMsMax, () => void drop(carrier));
  };

  return {
    name: main.name,
    run: (argv, options) => main.run(argv, options),
    async exec(argv, options) {
      const carrier = carrierNow();
      carrier.streams++;
      carrier.idle?.[Symbol.dispose]();
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

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A way between two ends of TCP that a test can break. */
export interface TcpProxy {
  readonly port: number;
  /** Connections that were made through it so far. */
  readonly made: number;
  /** Hands nothing on any more of the connections there are, in either direction, nor their end. Those to come are not touched. */
  stall(): void;
  /** Hands on what was held up, and goes on. */
  resume(): void;
  /** Ends the connections there are. */
  cut(): void;
  /** Takes no more connections, or takes them again. */
  refuse(refused: boolean): void;
  close(): Promise<void>;
}

export async function startTcpProxy(targetPort: number, targetHost = "127.0.0.1"): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const stalled = new Set<readonly [Socket, Socket]>();
  let made = 0;
  let refused = false;
  const flow = ([near, far]: readonly [Socket, Socket]) => {
    near.pipe(far);
    far.pipe(near);
  };
  const end = (pair: readonly [Socket, Socket]) => {
    for (const socket of pair) socket.destroy();
    pairs.delete(pair);
    stalled.delete(pair);
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (refused) return void near.destroy();
    made++;
    const pair = [near, connect({ host: targetHost, port: targetPort, allowHalfOpen: true })] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        if (!stalled.has(pair)) end(pair);
      });
    }
    flow(pair);
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get made() {
      return made;
    },
    stall() {
      for (const pair of pairs) {
        stalled.add(pair);
        for (const socket of pair) socket.unpipe().pause();
      }
    },
    resume() {
      for (const pair of stalled) flow(pair);
      stalled.clear();
    },
    cut() {
      for (const pair of [...pairs]) end(pair);
    },
    refuse(now) {
      refused = now;
    },
    async close() {
      for (const pair of [...pairs]) end(pair);
      server.close();
      await once(server, "close");
    },
  };
}

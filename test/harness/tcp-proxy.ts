import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Transform } from "node:stream";

/** "up": from who connected to where the proxy leads. */
export type ProxyDirection = "up" | "down";

/** A way between two ends of TCP that a test can break. */
export interface TcpProxy {
  readonly port: number;
  /** Connections that were made through it so far. */
  readonly made: number;
  /** Told of each piece that came, before it is handed on. Whoever cuts then, cuts before it. */
  onPiece: ((direction: ProxyDirection) => void) | undefined;
  /** Hands nothing on any more of the connections there are, in either direction, nor their end. Those to come are not touched. */
  stall(): void;
  /** Hands on what was held up, and goes on. */
  resume(): void;
  /** Ends the connections there are. */
  cut(): void;
  /** Ends the near ends of the connections there are. The far ends never learn of it, as when a router forgets a connection, until `close`. */
  abandon(): void;
  /** Takes no more connections, or takes them again. */
  refuse(refused: boolean): void;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  readonly up: Transform;
  readonly down: Transform;
}

export async function startTcpProxy(targetPort: number, targetHost = "127.0.0.1"): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const stalled = new Set<Pair>();
  const abandoned = new Set<Socket>();
  let made = 0;
  let refused = false;
  let onPiece: TcpProxy["onPiece"];
  const flow = ({ near, far, up, down }: Pair) => {
    near.pipe(up);
    far.pipe(down);
  };
  const forget = (pair: Pair) => {
    pairs.delete(pair);
    stalled.delete(pair);
  };
  const end = (pair: Pair) => {
    for (const each of [pair.near, pair.far, pair.up, pair.down]) each.destroy();
    forget(pair);
  };
  const tell = (direction: ProxyDirection) =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        onPiece?.(direction);
        done(null, chunk);
      },
    });
  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (refused) return void near.destroy();
    made++;
    const pair: Pair = { near, far: connect({ host: targetHost, port: targetPort, allowHalfOpen: true }), up: tell("up"), down: tell("down") };
    pairs.add(pair);
    pair.up.pipe(pair.far);
    pair.down.pipe(near);
    for (const socket of [near, pair.far]) {
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        if (pairs.has(pair) && !stalled.has(pair)) end(pair);
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
    get onPiece() {
      return onPiece;
    },
    set onPiece(listener) {
      onPiece = listener;
    },
    stall() {
      for (const pair of pairs) {
        stalled.add(pair);
        for (const socket of [pair.near, pair.far]) socket.unpipe().pause();
      }
    },
    resume() {
      for (const pair of stalled) flow(pair);
      stalled.clear();
    },
    cut() {
      for (const pair of [...pairs]) end(pair);
    },
    abandon() {
      for (const pair of [...pairs]) {
        forget(pair);
        pair.far.unpipe().resume();
        for (const each of [pair.up, pair.down, pair.near]) each.destroy();
        abandoned.add(pair.far);
        pair.far.once("close", () => abandoned.delete(pair.far));
      }
    },
    refuse(now) {
      refused = now;
    },
    async close() {
      for (const pair of [...pairs]) end(pair);
      for (const socket of abandoned) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

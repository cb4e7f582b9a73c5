import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** When, seen from the engine, something happens to the way there. */
export type EngineMoment =
  /** The request has come, and the engine never sees it. */
  | "before"
  /** The engine has it, and its answer is not there yet. */
  | "during"
  /** The engine has done it, and nobody is told. */
  | "after";

export interface EngineTrap {
  readonly moment: EngineMoment;
  /** Whether what comes from a client on one connection is what is waited for: the text of one piece, a request's head and body or part of a stream. */
  readonly matches: (text: string, connection: object) => boolean;
  readonly act: () => void;
}

/** A unix socket before a Docker engine's that sees what is asked, and can do something at a chosen moment of it. */
export interface EngineGate {
  readonly socketPath: string;
  /** Resolves once the trap has sprung; it does so once. @throws when nothing of the kind has come for half a minute */
  set(trap: EngineTrap): Promise<void>;
  close(): Promise<void>;
}

const patienceMs = 30_000;

export async function startEngineGate(enginePath: string): Promise<EngineGate> {
  const socketPath = `${enginePath}.gate`;
  const sockets = new Set<Socket>();
  let waiting: (EngineTrap & { readonly sprung: () => void }) | undefined;
  const spring = () => {
    const trap = waiting!;
    waiting = undefined;
    trap.act();
    trap.sprung();
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const engine = connect({ path: enginePath, allowHalfOpen: true });
    let isMuted = false;
    let isAwaited = false;
    for (const socket of [client, engine]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        sockets.delete(socket);
        client.destroy();
        engine.destroy();
      });
    }
    client.on("data", (piece: Buffer) => {
      if (isMuted) return;
      const found = waiting !== undefined && !isAwaited && waiting.matches(piece.toString("latin1"), client);
      if (found && waiting!.moment === "before") {
        isMuted = true;
        return spring();
      }
      engine.write(piece);
      if (!found) return;
      isAwaited = true;
      if (waiting!.moment !== "during") return;
      isMuted = true;
      spring();
    });
    engine.on("data", (piece: Buffer) => {
      if (isAwaited && !isMuted) {
        isMuted = true;
        spring();
      }
      if (!isMuted) client.write(piece);
    });
    client.on("end", () => engine.end());
    engine.on("end", () => client.end());
  }).listen(socketPath);
  await once(server, "listening");
  return {
    socketPath,
    set: (trap) =>
      new Promise((resolve, reject) => {
        const patience = setTimeout(() => {
          waiting = undefined;
          reject(new Error(`the engine was not asked for what is waited for (${trap.moment})`));
        }, patienceMs);
        waiting = {
          ...trap,
          sprung() {
            clearTimeout(patience);
            resolve();
          },
        };
      }),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

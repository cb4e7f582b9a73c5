import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { isPortOpen } from "../../harness/ports.ts";
import { eventually } from "../../harness/eventually.ts";
import { carries, echo, refusedWith, serve, signal, text } from "./suite-sockets.ts";
import type { TransportPlace, TransportTest } from "./place.ts";
import type { Listener } from "../../../src/transports/transport.ts";

interface Listening extends AsyncDisposable {
  readonly listener: Listener;
  /** Handed over so far. */
  readonly taken: readonly Duplex[];
  end(): Promise<unknown>;
}

/** Listens for the length of one case. */
async function listen({ transport }: Pick<TransportPlace, "transport">, port: number, onConnection: (connection: Duplex) => void): Promise<Listening> {
  const ending = new AbortController();
  const taken: Duplex[] = [];
  const listener = await transport.listen(port, (connection) => {
    connection.on("error", () => connection.destroy());
    taken.push(connection);
    onConnection(connection);
  }, ending.signal);
  const end = () => {
    ending.abort(new Error("over"));
    return listener.ended;
  };
  return {
    listener,
    taken,
    end,
    async [Symbol.asyncDispose]() {
      for (const connection of taken) connection.destroy();
      await end();
    },
  };
}

async function visit({ listener }: Listening): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: listener.port, allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

/** A process that sshd has just forked has the listener, too, until it becomes a shell. */
const portCloses = (port: number) => eventually(async () => assert.equal(await isPortOpen(port), false), 3000, 20);

/** Listening, where the machine lets us; where not, that it says so. */
export function listenCases(test: TransportTest): void {
  const cases: TransportTest = (what, body) =>
    test(what, async (place) => {
      if (place.listenFailure === undefined) await body(place);
      else await assert.rejects(place.transport.listen(0, () => {}, signal()), refusedWith(place.listenFailure));
    });

  cases("10 MB both ways at once, byte for byte", async (place) => {
    await using there = await listen(place, 0, (connection) => void connection.pipe(connection));
    await carries(await visit(there), 10_000_000);
  });
  cases("50 connections at once, each its own", async (place) => {
    await using there = await listen(place, 0, (connection) => void connection.pipe(connection));
    await Promise.all(Array.from({ length: 50 }, async () => carries(await visit(there), 100_000)));
    assert.equal(there.taken.length, 50);
  });
  cases("either half stays open after the other's end", async (place) => {
    let heard: Promise<string> | undefined;
    await using first = await listen(place, 0, (connection) => {
      heard = text(connection);
      connection.end("goodbye");
    });
    const late = await visit(first);
    assert.equal(await text(late), "goodbye");
    late.end("and to you");
    assert.equal(await heard, "and to you");

    await using second = await listen(place, 0, (connection) => void text(connection).then((said) => connection.end(`you said ${said}`)));
    const early = await visit(second);
    early.end("all");
    assert.equal(await text(early), "you said all");
  });
  cases("who is gone is told to the other", async (place) => {
    await using there = await listen(place, 0, (connection) => void connection.resume());
    const socket = await visit(there);
    await eventually(() => assert.equal(there.taken.length, 1), 3000, 20);
    const closed = once(socket.resume().on("error", () => {}), "close");
    there.taken[0]!.destroy();
    socket.end();
    await closed;
    const other = await visit(there);
    await eventually(() => assert.equal(there.taken.length, 2), 3000, 20);
    other.destroy();
    await eventually(() => assert.ok(there.taken[1]!.readableEnded || there.taken[1]!.destroyed), 3000, 20);
  });
  cases("a port asked for by number, free again when told to end, and what was handed over goes on", async (place) => {
    const chosen = await listen(place, 0, () => {});
    const { port } = chosen.listener;
    await chosen.end();
    await portCloses(port);
    await using there = await listen(place, port, (connection) => void connection.pipe(connection));
    assert.equal(there.listener.port, port);
    const socket = await visit(there);
    await eventually(() => assert.equal(there.taken.length, 1), 3000, 20);
    assert.equal(await there.end(), undefined);
    await portCloses(port);
    assert.equal(await place.transport.isPortFree(port), true);
    await carries(socket, 100_000);
    await (await listen(place, port, () => {})).end();
  });
  cases("a port that is in use, by another program or by ourselves", async (place) => {
    await using server = await serve(echo);
    const { port } = server.target as { readonly port: number };
    await assert.rejects(place.transport.listen(port, () => {}, signal()), refusedWith("EADDRINUSE"));
    await using there = await listen(place, 0, (connection) => void connection.pipe(connection));
    await assert.rejects(place.transport.listen(there.listener.port, () => {}, signal()), refusedWith("EADDRINUSE"));
    await carries(await visit(there), 1000);
  });
  cases("nothing is listened on when the signal has aborted", async (place) => {
    await assert.rejects(place.transport.listen(0, () => {}, AbortSignal.abort(new Error("no need"))), /no need/);
  });
  cases("end with the transport", async ({ open }) => {
    const transport = await open();
    const there = await listen({ transport }, 0, (connection) => void connection.resume());
    const socket = await visit(there);
    const closed = once(socket.resume().on("error", () => {}).once("end", () => socket.end()), "close");
    await eventually(() => assert.equal(there.taken.length, 1), 3000, 20);
    await transport.close();
    await Promise.all([closed, there.listener.ended]);
    await portCloses(there.listener.port);
    await assert.rejects(transport.listen(0, () => {}, signal()));
  });
}

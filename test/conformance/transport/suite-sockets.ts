import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { TransportError, type DialTarget } from "../../../src/transports/transport.ts";
import { eventually } from "../../harness/eventually.ts";
import type { TransportTest } from "./place.ts";

export const signal = () => AbortSignal.timeout(10_000);
const sha = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** A server on this machine for the length of one case. */
export async function serve(onSocket: (socket: Socket) => void, at: { socketPath: string } | { port: number } = { port: 0 }): Promise<AsyncDisposable & { readonly server: Server; readonly target: DialTarget; readonly sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen("socketPath" in at ? { path: at.socketPath } : { host: "127.0.0.1", port: at.port });
  await once(server, "listening");
  return {
    server,
    sockets,
    target: "socketPath" in at ? at : { host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

export const echo = (socket: Socket) => void socket.pipe(socket);
export const refusedWith = (code: string) => (error: unknown) => error instanceof TransportError && (error.cause as { code?: string } | undefined)?.code === code;

/** All that comes until the far side's end. node:stream/consumers would destroy the socket then, with our own half. */
function buffer(socket: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
    socket.once("end", () => resolve(Buffer.concat(chunks)));
    socket.once("error", reject);
  });
}

export const text = async (socket: Duplex) => (await buffer(socket)).toString("utf8");

export async function carries(socket: Duplex, bytes: number): Promise<void> {
  const data = randomBytes(bytes);
  const answer = buffer(socket);
  socket.end(data);
  assert.equal(sha(await answer), sha(data));
}

export function socketCases(test: TransportTest): void {
  test("dial TCP: 10 MB both ways at once, byte for byte", async ({ transport }) => {
    await using server = await serve(echo);
    await carries(await transport.dial(server.target, signal()), 10_000_000);
  });
  test("dial a unix socket likewise", async ({ transport, directory }) => {
    await using server = await serve(echo, { socketPath: join(directory, "an echo.sock") });
    await carries(await transport.dial(server.target, signal()), 10_000_000);
  });
  test("keep our half open after the far side's end", async ({ transport }) => {
    let heard: Promise<string> | undefined;
    await using server = await serve((socket) => {
      heard = text(socket);
      socket.end("goodbye");
    });
    const socket = await transport.dial(server.target, signal());
    assert.equal(await text(socket), "goodbye");
    socket.end("and to you");
    assert.equal(await heard, "and to you");
  });
  test("keep the far side's half open after our end", async ({ transport }) => {
    await using server = await serve((socket) => void text(socket).then((said) => socket.end(`you said ${said}`)));
    const socket = await transport.dial(server.target, signal());
    socket.end("all");
    assert.equal(await text(socket), "you said all");
  });
  test("tell the far side when we are gone", async ({ transport }) => {
    await using server = await serve((socket) => void socket.resume());
    const socket = await transport.dial(server.target, signal());
    socket.on("error", () => {});
    await eventually(() => assert.equal(server.sockets.size, 1), 3000, 20);
    socket.destroy();
    // It sees our end or a reset; one that only ended is its own to close.
    await eventually(() => assert.ok([...server.sockets].every((each) => each.readableEnded)), 3000, 20);
  });
  test("say why nobody answers", async ({ transport, directory }) => {
    const { target } = await (async () => {
      await using closed = await serve(echo);
      return { target: closed.target };
    })();
    await assert.rejects(transport.dial(target, signal()), refusedWith("ECONNREFUSED"));
    await assert.rejects(transport.dial({ socketPath: join(directory, "no.sock") }, signal()), refusedWith("ENOENT"));
  });
  test("give up when told to", async ({ transport }) => {
    await using server = await serve(echo);
    await assert.rejects(transport.dial(server.target, AbortSignal.abort(new Error("no need"))), /no need/);
  });
  test("carry 50 connections at once", async ({ transport }) => {
    await using server = await serve(echo);
    // Where sshd forwards nothing, they wait for each other.
    await Promise.all(Array.from({ length: 50 }, async () => carries(await transport.dial(server.target, AbortSignal.timeout(60_000)), 100_000)));
  });
  test("break without a word when nobody listens", async ({ transport }) => {
    await using server = await serve(echo);
    const socket = await transport.dial(server.target, signal());
    // Not by `once`, which listens for errors, too.
    const closed = new Promise<void>((resolve) => socket.on("close", resolve));
    socket.destroy(new Error("broke"));
    await closed;
  });
  test("know which ports are free", async ({ transport }) => {
    const taken = await serve(echo);
    const { port } = taken.target as { port: number };
    assert.equal(await transport.isPortFree(port), false);
    await taken[Symbol.asyncDispose]();
    assert.equal(await transport.isPortFree(port), true);
    assert.equal(await transport.isPortFree(port), true);
  });
  test("end with the transport", async ({ open }) => {
    await using server = await serve((socket) => void socket.resume());
    const transport = await open();
    const socket = await transport.dial(server.target, signal());
    socket.on("error", () => {});
    const closed = once(socket, "close");
    await transport.close();
    await closed;
  });
}

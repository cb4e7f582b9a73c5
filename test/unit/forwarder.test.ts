import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, it } from "node:test";
import { systemClock as clock } from "../../src/base/system.ts";
import { silentLogger } from "../../src/base/log.ts";
import { createForwarder } from "../../src/transports/forwarder.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import { eventually } from "../harness/eventually.ts";
import { freePort } from "../harness/ports.ts";

/** A forward on a free port to a server that treats its sockets so. */
async function forwarded(onSocket: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, onSocket).listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const transport = createLocalTransport({ clock });
  const forwarder = createForwarder({ clock, log: silentLogger });
  const nodePort = await freePort();
  assert.equal((await forwarder.sync("owner", [{ nodePort, dial: (signal) => transport.dial({ host: "127.0.0.1", port }, signal) }])).size, 0);
  return {
    forwarder,
    server,
    nodePort,
    async [Symbol.asyncDispose]() {
      await forwarder.close();
      await transport.close();
      server.close();
    },
  };
}

async function talk(port: number, act: (socket: Socket) => void): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  let heard = "";
  socket.setEncoding("utf8").on("data", (text: string) => (heard += text));
  act(socket);
  await once(socket, "close");
  return heard;
}

describe("a forward", { timeout: 20_000 }, () => {
  it("carries on in one direction when the other has ended", async () => {
    await using ours = await forwarded((socket) => {
      let said = "";
      socket.setEncoding("utf8").on("data", (text: string) => (said += text)).once("end", () => socket.end(`you said ${said}`));
    });
    assert.equal(await talk(ours.nodePort, (socket) => socket.end("all")), "you said all");

    let said = "";
    await using theirs = await forwarded((socket) => void socket.setEncoding("utf8").on("data", (text: string) => (said += text)).end("goodbye"));
    assert.equal(await talk(theirs.nodePort, (socket) => socket.once("end", () => socket.end("and to you"))), "goodbye");
    await eventually(() => assert.equal(said, "and to you"), 3000, 10);
  });

  it("refuses when nobody is there, and answers once somebody is", async () => {
    await using place = await forwarded((socket) => socket.end("here"));
    let there = false;
    const { port } = place.server.address() as AddressInfo;
    const transport = createLocalTransport({ clock });
    await place.forwarder.sync("owner", [{ nodePort: place.nodePort, dial: (signal) => transport.dial({ host: "127.0.0.1", port: there ? port : 1 }, signal) }]);
    await assert.rejects(talk(place.nodePort, () => {}), { code: "ECONNRESET" });
    there = true;
    assert.equal(await talk(place.nodePort, (socket) => socket.once("end", () => socket.end())), "here");
    await transport.close();
  });

  it("says which port is taken", async () => {
    await using place = await forwarded((socket) => socket.end());
    const taken = (place.server.address() as AddressInfo).port;
    const refused = await place.forwarder.sync("other", [{ nodePort: taken, dial: () => Promise.reject(new Error("never asked")) }]);
    assert.match(refused.get(taken) ?? "", /another process listens there/);
  });
});

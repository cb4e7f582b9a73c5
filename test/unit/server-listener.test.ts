import assert from "node:assert/strict";
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { createHttpStore } from "../../src/client/http-store.ts";
import { listen, type Listener } from "../../src/server/listener.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { room, testApp, testServer, workspace } from "./server-harness.ts";

const start = (socketPath: string): Promise<Listener> => listen({ app: testApp().app, socketPath, log: silentLogger, clock: systemClock });

/** A server's socket as a crash leaves it: a file nobody listens at. */
async function deadSocket(path: string): Promise<void> {
  const { spawnSync } = await import("node:child_process");
  spawnSync(process.execPath, ["-e", `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`]);
  assert.ok((await stat(path)).isSocket());
}

describe("listen", () => {
  it("makes a directory and a socket for this user alone, and takes the socket away again", async () => {
    await using dir = await temporaryDirectory();
    const root = dir.path;
    const path = join(root, "x", "run", "api.sock");
    const listener = await start(path);
    assert.equal((await stat(join(root, "x", "run"))).mode & 0o777, 0o700);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await listener.close();
    await listener.close();
    await assert.rejects(stat(path), { code: "ENOENT" });
  });
  it("takes the place of a dead server", async () => {
    await using dir = await temporaryDirectory();
    const path = join(dir.path, "api.sock");
    await deadSocket(path);
    await (await start(path)).close();
  });
  it("refuses the place of a living one, which lives on", async () => {
    await using dir = await temporaryDirectory();
    const path = join(dir.path, "api.sock");
    const first = await start(path);
    await assert.rejects(start(path), (error: Error) => error.message.includes(path) && error.message.includes("already running"));
    const client = createHttpStore({ socketPath: path, clock: systemClock, userAgent: "test" });
    assert.match((await client.version()).gitVersion, /vendetta/);
    await client.close();
    await first.close();
  });
  it("does not wait for ever for a server that hangs, and counts it as living", async () => {
    await using dir = await temporaryDirectory();
    const path = join(dir.path, "api.sock");
    const hung = createServer().listen(path);
    await new Promise((resolve) => hung.once("listening", resolve));
    await assert.rejects(start(path), /already running/);
    await new Promise((resolve) => hung.close(resolve));
  });
  it("refuses what is no socket, a directory open to others, and a path that is too long", async () => {
    await using dir = await temporaryDirectory();
    const root = dir.path;
    const file = join(root, "api.sock");
    await writeFile(file, "precious");
    await assert.rejects(start(file), /is no socket/);
    await mkdir(join(root, "open"));
    await chmod(join(root, "open"), 0o755);
    await assert.rejects(start(join(root, "open", "api.sock")), /open to other users \(mode 755\); run 'chmod 700/);
    await assert.rejects(start(join(root, "é".repeat(60))), /may have 10\d bytes, this one has/);
  });
});

/** A request on a socket of its own, byte for byte. */
function raw(socketPath: string, text: string, halfClose = true): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath });
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
    socket.write(text);
    // Node's server takes a half-closed connection for one that is gone.
    if (halfClose) socket.end();
  });
}

describe("the wire", () => {
  it("keeps web pages, foreign hosts and broken requests out", async () => {
    const server = await testServer();
    const get = (headers: string) => raw(server.socketPath, `GET /version HTTP/1.1\r\n${headers}connection: close\r\n\r\n`);
    assert.match(await get("host: localhost:6443\r\n"), /^HTTP\/1\.1 200 /);
    assert.match(await get("host: localhost\r\norigin: null\r\n"), /^HTTP\/1\.1 403 /);
    assert.match(await get("host: rebound.example\r\n"), /^HTTP\/1\.1 403 /);
    assert.match(await get("host: a b\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(await get(`host: localhost\r\nx: ${"y".repeat(40_000)}\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await raw(server.socketPath, "nonsense\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(await raw(server.socketPath, "GET http://evil.example/version HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"), /^HTTP\/1\.1 (400|403) /);
    await server.client.version();
    await server.stop();
  });

  it("answers 413 to a body that is too large, and goes on", async () => {
    const server = await testServer();
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request({ socketPath: server.socketPath, method: "POST", path: `${room}/workspaces`, headers: { host: "localhost", "content-type": "application/json" } }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      });
      sent.on("error", reject);
      sent.write("x".repeat(4_000_000));
    });
    assert.equal(status, 413);
    await server.client.version();
    await server.stop();
  });

  it("does not grow for a watch that nobody reads, and then says it fell behind", async () => {
    const server = await testServer({ watchBufferEventsMax: 50 });
    const socket: Socket = connect({ path: server.socketPath });
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.pause();
    socket.write(`GET ${room}/workspaces?watch=true HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await server.store.create("Workspace", workspace("a") as never);
    const large = "x".repeat(200_000);
    const before = process.memoryUsage();
    for (let i = 0; i < 400; i++) {
      await server.store.patch("Workspace", { namespace: "default", name: "a" }, { type: "merge", patch: { metadata: { annotations: { note: `${i}${large}` } } } });
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // 400 events of 200 kB: 80 MB, were they kept as bytes for the wire.
    const grown = process.memoryUsage();
    assert.ok(grown.external + grown.arrayBuffers - before.external - before.arrayBuffers < 20e6, "what nobody read is kept as bytes");
    let text = "";
    socket.on("data", (chunk: Buffer) => (text = (text + chunk.toString("latin1")).slice(-1000)));
    socket.resume();
    for (let i = 0; i < 200 && !text.includes('"ERROR"'); i++) await new Promise((resolve) => setImmediate(resolve));
    assert.match(text, /"type":"ERROR".*"code":410/);
    socket.destroy();
    await server.stop();
  });
});

describe("close", () => {
  it("cuts what does not end after five seconds", async () => {
    const clock = createVirtualClock();
    await using dir = await temporaryDirectory();
    const path = join(dir.path, "api.sock");
    let asked = false;
    const app = () => {
      asked = true;
      return new Promise<Response>(() => undefined);
    };
    const listener = await listen({ app, socketPath: path, log: silentLogger, clock });
    const answer = raw(path, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", false);
    while (!asked) await new Promise((resolve) => setImmediate(resolve));
    let done = false;
    const closed = listener.close().then(() => (done = true));
    await clock.advance(4900);
    assert.equal(done, false);
    await clock.advance(200);
    await closed;
    assert.equal(await answer, "");
  });
  it("ends watches at once and cleanly, and lets a running request finish", async () => {
    let finish: (() => void) | undefined;
    const server = await testServer();
    const slow = listen({
      app: async () => {
        await new Promise<void>((resolve) => (finish = resolve));
        return new Response("done");
      },
      socketPath: `${server.socketPath}2`,
      log: silentLogger,
      clock: systemClock,
    });
    const listener = await slow;
    const answer = raw(`${server.socketPath}2`, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", false);
    while (finish === undefined) await new Promise((resolve) => setImmediate(resolve));
    const closed = listener.close();
    finish();
    assert.match(await answer, /done/);
    await closed;

    const watch = raw(server.socketPath, `GET ${room}/workspaces?watch=true HTTP/1.1\r\nhost: localhost\r\n\r\n`, false);
    await server.client.version();
    const begun = performance.now();
    await server.listener.close();
    assert.ok(performance.now() - begun < 1000);
    // The last chunk of a chunked body: the end was said, not cut.
    assert.match(await watch, /\r\n0\r\n\r\n$/);
    await server.stop();
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:https";
import { connect, createServer, type AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { after, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { silentLogger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system.ts";
import { serverLimits } from "../../src/server/limits.ts";
import { listenOnLoopback, PortsTakenError } from "../../src/server/network-listener.ts";
import { createUpgrader } from "../../src/server/upgrade.ts";
import { all, ask, networkServer, open, tls, type NetworkServer } from "./network-harness.ts";
import { group, room, workspace } from "./server-harness.ts";

const watchPath = `${room}/workspaces?watch=true`;

describe("over the network", () => {
  let server: NetworkServer;
  before(async () => {
    server = await networkServer();
  });
  after(() => server.stop());
  const stranger = () => ({ ...server.way, token: undefined });

  it("answers whoever has the token, at every name of the certificate", async () => {
    for (const host of ["127.0.0.1", "localhost", ...(server.listener.addresses.length === 2 ? ["::1"] : [])]) {
      const { status, text } = await ask({ ...server.way, host }, `${group}/nodes`);
      assert.equal(status, 200, host);
      assert.equal(JSON.parse(text).kind, "NodeList");
    }
  });
  it("answers 401 to who has none, as a Status that says how to do better", async () => {
    for (const way of [stranger(), { ...server.way, token: "" }]) {
      const { status, headers, text } = await ask(way, `${group}/nodes`);
      assert.equal(status, 401);
      assert.equal(headers["www-authenticate"], "Bearer");
      assert.deepEqual(JSON.parse(text), { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: "Unauthorized", reason: "Unauthorized", details: {}, code: 401 });
    }
  });
  it("tells its health and version to anybody, but to nobody with a wrong token", async () => {
    for (const path of ["/livez", "/readyz", "/healthz", "/version"]) {
      assert.equal((await ask(stranger(), path)).status, 200, path);
      assert.equal((await ask({ ...server.way, token: `${server.way.token}x` }, path)).status, 401, path);
    }
    for (const path of ["/livez/x", "//version", "/%6civez/../api", "/api", "/apis", "/openapi/v3", "/metrics"]) assert.equal((await ask(stranger(), path)).status, 401, path);
  });
  it("takes no other way of naming the token", async () => {
    const { token } = server.credentials;
    for (const authorization of [token, `Basic ${token}`, `Bearer ${token} x`, `Bearer ${token.slice(1)}`, `Bearer ${token.toUpperCase()}`]) {
      assert.equal((await ask(stranger(), "/api", { headers: { authorization } })).status, 401, authorization.replaceAll(token, "TOKEN"));
    }
    assert.equal((await ask(stranger(), "/api", { headers: { authorization: `bearer  ${token}` } })).status, 200);
    assert.equal((await ask(stranger(), `/api?access_token=${token}`)).status, 401);
  });
  it("keeps foreign hosts and web pages out, token or not", async () => {
    for (const headers of [{ host: "rebound.example" }, { origin: "https://127.0.0.1" }, { "sec-fetch-site": "cross-site" }]) {
      const { status, text } = await ask(server.way, "/api", { headers: headers as Record<string, string> });
      assert.equal(status, 403);
      assert.equal(JSON.parse(text).reason, "Forbidden");
    }
  });
  it("writes as it reads", async () => {
    const made = await open(server.way, `${room}/workspaces/none`, { method: "DELETE" });
    assert.equal(made.statusCode, 404);
    made.resume();
    const refused = await open(stranger(), `${room}/workspaces/none`, { method: "DELETE" });
    assert.equal(refused.statusCode, 401);
    refused.resume();
  });
  it("keeps a connection for the next request", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const way = { ...server.way, agent };
    const sockets = new Set<unknown>();
    for (let i = 0; i < 3; i++) {
      const response = await open(way, "/api");
      sockets.add(response.socket);
      response.resume();
      await once(response, "end");
    }
    assert.equal(sockets.size, 1);
    agent.destroy();
  });
});

describe("new credentials", () => {
  it("end the old token's watches and requests at once, and leave connections", async () => {
    const server = await networkServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = { ...server.way, agent };
    assert.equal((await ask(kept, "/api")).status, 200);
    const watch = await open(server.way, watchPath);
    const next = await server.remake({ token: true, serving: true });
    assert.notEqual(next.token, server.credentials.token);
    server.listener.use(next);
    // Ends, rather than breaks off: a chunked body without its last chunk is an error here.
    for await (const _ of watch) assert.fail("nothing happened");
    assert.equal(watch.complete, true);
    assert.equal((await ask(kept, "/api")).status, 401);
    assert.equal((await ask({ ...kept, token: next.token }, "/api")).status, 200);
    assert.equal((await ask({ ...server.way, token: next.token }, "/api")).status, 200);
    agent.destroy();
    await server.stop();
  });
  it("leave watches alone when the token is the same, and serve the new certificate to new connections", async () => {
    const server = await networkServer();
    const first = await tls(server.way);
    const watch = await open(server.way, watchPath);
    server.listener.use(await server.remake({ serving: true }));
    const second = await tls(server.way);
    assert.notEqual(second.getPeerCertificate().serialNumber, first.getPeerCertificate().serialNumber);
    await server.store.create("Workspace", workspace("a") as never);
    const [line] = (await once(watch.setEncoding("utf8"), "data")) as [string];
    assert.equal(JSON.parse(line).object.metadata.name, "a");
    watch.destroy();
    first.destroy();
    second.destroy();
    await server.stop();
  });
  it("with a new authority are refused by who trusts the old one", async () => {
    const server = await networkServer();
    const next = await server.remake({ authority: true });
    server.listener.use(next);
    await assert.rejects(ask(server.way, "/api"), /certificate|signature/);
    assert.equal((await ask({ ...server.way, ca: next.authorityCertificate }, "/api")).status, 200);
    await server.stop();
  });
});

describe("an upgrade over the network", () => {
  const notAsked = () => Promise.reject(new Error("nobody asks for this here"));
  const upgrade = createUpgrader({
    store: { get: notAsked },
    logs: notAsked,
    dial: notAsked,
    clock: systemClock,
    log: silentLogger,
    commands: (wish) => {
      const stdout = new PassThrough();
      const stderr = new PassThrough();
      const stdin = new PassThrough();
      stdout.end(wish.argv.join(" "));
      stderr.end();
      return Promise.resolve({ stdin, stdout, stderr, exit: Promise.resolve({ code: 0, signal: undefined }), kill: () => undefined });
    },
  });
  const dial = (server: NetworkServer, headers: Record<string, string>) =>
    new Promise<string>((resolve, reject) => {
      const socket = new WebSocket(`wss://127.0.0.1:${server.way.port}${room}/workspaces/dev/exec?command=hello`, "v5.channel.k8s.io", { ca: server.way.ca, headers });
      let text = "";
      socket.on("message", (data: Buffer) => {
        if (data[0] === 1) text += data.subarray(1).toString();
      });
      socket.on("unexpected-response", (_, response) => {
        response.resume();
        resolve(`refused ${response.statusCode}`);
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(text));
    });

  it("needs the token, and a host of ours", async () => {
    const server = await networkServer({ upgrade });
    const authorization = `Bearer ${server.credentials.token}`;
    assert.equal(await dial(server, { authorization }), "hello");
    assert.equal(await dial(server, {}), "refused 401");
    assert.equal(await dial(server, { authorization: `${authorization}x` }), "refused 401");
    assert.equal(await dial(server, { authorization, host: "rebound.example" }), "refused 403");
    assert.equal(await dial(server, { authorization, origin: "https://127.0.0.1" }), "refused 403");
    await server.stop();
  });
});

describe("bounds of the network", () => {
  // A busy machine may need some 100 ms for an honest client's handshake and headers.
  const limits = { ...serverLimits, headersMsMax: 500, requestMsMax: 1000, connectionsCheckMs: 20 };

  it("end who never finishes a handshake", async () => {
    const server = await networkServer({ limits: { ...serverLimits, tlsHandshakeMsMax: 100 } });
    const silent = connect({ host: "127.0.0.1", port: server.way.port });
    silent.resume();
    await once(silent, "close");
    await server.stop();
  });
  it("end who never finishes headers or a body", async () => {
    const server = await networkServer({ limits });
    const nothing = await tls(server.way);
    assert.match(await all(nothing), /^(HTTP\/1\.1 408 |$)/);
    const slow = await tls(server.way);
    slow.write("GET /api HTTP/1.1\r\nhost: localhost\r\nx-slow: ");
    assert.match(await all(slow), /^HTTP\/1\.1 408 /);
    const body = await tls(server.way);
    body.write(`POST ${room}/workspaces HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${server.credentials.token}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`);
    assert.match(await all(body), /^HTTP\/1\.1 4\d\d /);
    assert.equal((await ask(server.way, "/api")).status, 200);
    await server.stop();
  });
  it("leave a watch alone for longer than any of them", async () => {
    const server = await networkServer({ limits });
    const watch = await open(server.way, watchPath);
    // Somebody who came later has been ended meanwhile, so all the bounds have passed.
    await all(await tls(server.way));
    await all(await tls(server.way));
    await all(await tls(server.way));
    await server.store.create("Workspace", workspace("a") as never);
    await once(watch, "data");
    watch.destroy();
    await server.stop();
  });
  it("hold the headers' size", async () => {
    const server = await networkServer();
    assert.equal((await ask(server.way, "/api", { headers: { x: "y".repeat(40_000) } })).status, 431);
    await server.stop();
  });
  it("hold the number of watches, told by 429 and when to come again; a watch that ended counts no more", async () => {
    const server = await networkServer({ limits: { ...serverLimits, watchersMax: 2 } });
    const first = await open(server.way, watchPath);
    const second = await open(server.way, watchPath);
    const refused = await ask(server.way, watchPath);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers["retry-after"], "1");
    assert.equal(JSON.parse(refused.text).reason, "TooManyRequests");
    assert.equal((await ask(server.way, `${room}/workspaces`)).status, 200);
    first.destroy();
    for (;;) {
      const again = await open(server.way, watchPath);
      again.destroy();
      if (again.statusCode === 200) break;
    }
    second.destroy();
    await server.stop();
  });
});

describe("many watches", () => {
  it("end at once with the listener, and Node finds nothing to warn of", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    const server = await networkServer();
    const watches = await Promise.all(Array.from({ length: 40 }, () => open(server.way, watchPath)));
    const ends = watches.map((each) => once(each.resume(), "end"));
    await server.listener.close();
    await Promise.all(ends);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", onWarning);
    assert.deepEqual(warnings, []);
    await server.stop();
  });
});

describe("closing the network listener", () => {
  it("ends watches with their last chunk, and the connection without a reset", async () => {
    const server = await networkServer();
    const socket = await tls(server.way);
    const text = all(socket);
    socket.write(`GET ${watchPath} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${server.credentials.token}\r\n\r\n`);
    await ask(server.way, "/api");
    await server.listener.close();
    assert.match(await text, /\r\n0\r\n\r\n$/);
    await assert.rejects(ask(server.way, "/api"), { code: "ECONNREFUSED" });
    await server.stop();
  });
  it("cuts what does not end: handshakes, upgraded connections, answers that never come", async () => {
    const server = await networkServer({ limits: { ...serverLimits, closeMsMax: 50 }, upgrade: (_, socket) => void socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"), app: () => new Promise(() => undefined) });
    const silent = connect({ host: "127.0.0.1", port: server.way.port }).resume();
    await once(silent, "connect");
    const hung = await tls(server.way);
    hung.write("GET /api HTTP/1.1\r\nhost: localhost\r\n\r\n");
    const upgraded = await tls(server.way);
    upgraded.on("error", () => undefined);
    upgraded.write(`GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${server.credentials.token}\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n`);
    await once(upgraded, "data");
    const closed = Promise.all([once(silent, "close"), all(hung).catch(() => undefined), once(upgraded, "close")]);
    await server.listener.close();
    await closed;
    await server.stop();
  });
});

describe("the port", () => {
  it("is the first of those wished for that is free on both addresses", async () => {
    const taken = createServer().listen({ host: "127.0.0.1", port: 0 });
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const server = await networkServer();
    const parts = { app: server.app, credentials: server.credentials, log: silentLogger, clock: systemClock };
    await assert.rejects(listenOnLoopback({ ...parts, ports: [port] }), (error: Error) => error instanceof PortsTakenError && error.message === `Cannot listen on 127.0.0.1: port ${port} is taken by another process`);
    const second = await listenOnLoopback({ ...parts, ports: [port, 0, 0] });
    assert.notEqual(second.port, port);
    await second.close();
    if (server.listener.addresses.length === 2) {
      const six = createServer().listen({ host: "::1", port: 0 });
      await once(six, "listening");
      const other = (six.address() as AddressInfo).port;
      await assert.rejects(listenOnLoopback({ ...parts, ports: [other] }), PortsTakenError);
      // And it lets go of the other address.
      const left = createServer().listen({ host: "127.0.0.1", port: other });
      await once(left, "listening");
      left.close();
      six.close();
    }
    taken.close();
    await server.stop();
  });
});

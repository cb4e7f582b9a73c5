import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { parse } from "yaml";
import type { Clock } from "../../src/base/clock.ts";
import { homePaths } from "../../src/base/home.ts";
import { silentLogger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system.ts";
import { createVirtualClock, type VirtualClock } from "../../src/base/virtual-clock.ts";
import { openNetworkEdge, type NetworkEdge } from "../../src/compose/network-edge.ts";
import { runIn } from "./cli-harness.ts";
import { ask, open, type Way } from "./network-harness.ts";
import { room, testApp } from "./server-harness.ts";

const dayMs = 24 * 3600 * 1000;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const each of cleanups.splice(0).reverse()) await each();
});

async function home() {
  const directory = await mkdtemp(join(tmpdir(), "vendetta-"));
  cleanups.push(() => rm(directory, { recursive: true }));
  const paths = homePaths({ VENDETTA_HOME: directory });
  const edge = async (port?: string, clock: Clock = systemClock): Promise<NetworkEdge> => {
    const opened = await openNetworkEdge({ paths, port, app: testApp().app, log: silentLogger, clock });
    cleanups.push(() => closed(opened, clock));
    return opened;
  };
  const kubeconfig = async () => parse(await readFile(paths.kubeconfigFile, "utf8"));
  /** As a client of Kubernetes reads it. */
  const way = async (): Promise<Way> => {
    const { clusters, users } = await kubeconfig();
    return { port: Number(new URL(clusters[0].cluster.server).port), ca: Buffer.from(clusters[0].cluster["certificate-authority-data"], "base64").toString(), token: users[0].user.token };
  };
  return { paths, edge, way, kubeconfig };
}

/** Closing waits by its clock, which may have to be moved. */
async function closed(edge: NetworkEdge, clock: Clock): Promise<void> {
  let done = false;
  const closing = edge.close().finally(() => (done = true));
  while (!done && "advance" in clock) {
    await (clock as VirtualClock).advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closing;
}

async function occupy(port: number): Promise<{ readonly port: number; close(): Promise<unknown> }> {
  const server = createServer().listen({ host: "127.0.0.1", port });
  await once(server, "listening");
  const close = () => new Promise((resolve) => server.close(resolve));
  cleanups.push(close);
  return { port: (server.address() as AddressInfo).port, close };
}

describe("the network edge", () => {
  it("is reached by what its kubeconfig says, and at the same port after a restart", async () => {
    const { edge, way } = await home();
    const first = await edge();
    const before = await way();
    assert.equal(first.state.url, `https://127.0.0.1:${before.port}`);
    assert.equal(first.state.notice, undefined);
    assert.equal((await ask(before, "/api")).status, 200);
    await first.close();
    const second = await edge();
    assert.deepEqual(second.state, first.state);
    assert.deepEqual(await way(), before);
    assert.equal((await ask(before, "/api")).status, 200);
  });
  it("moves when its port is taken, says so, and stays where it went", async () => {
    const { edge, way } = await home();
    const first = await edge();
    const { port } = await way();
    await first.close();
    const taken = await occupy(port);
    const second = await edge();
    assert.match(second.state.notice!, new RegExp(`^Port ${port} is taken by another process: HTTPS is at https://127\\.0\\.0\\.1:\\d+ from now on`));
    const moved = await way();
    assert.notEqual(moved.port, port);
    assert.equal((await ask(moved, "/api")).status, 200);
    await second.close();
    await taken.close();
    const third = await edge();
    assert.equal(third.state.url, second.state.url);
    assert.equal(third.state.notice, undefined);
  });
  it("is at the port somebody names, from then on, and nowhere when that is taken", async () => {
    const { edge, way } = await home();
    const taken = await occupy(0);
    await assert.rejects(edge(String(taken.port)), new RegExp(`port ${taken.port} is taken by another process; choose another with 'vendetta server start --port PORT'`));
    await taken.close();
    const first = await edge(String(taken.port));
    assert.equal((await way()).port, taken.port);
    await first.close();
    assert.equal((await edge()).state.url, `https://127.0.0.1:${taken.port}`);
  });
  it("can be off, stays off, and can be on again", async () => {
    const { edge, paths } = await home();
    for (const port of ["off", undefined]) {
      const { state, rotate } = await edge(port);
      assert.equal(state.url, undefined);
      assert.match(state.notice!, /off.*--port auto/);
      await assert.rejects(rotate({ authority: false }), /Cannot replace credentials: Network clients are off/);
    }
    await assert.rejects(readFile(paths.kubeconfigFile), { code: "ENOENT" });
    assert.match((await edge("auto")).state.url!, /^https:/);
  });
  it("refuses a port that is none, and chooses one when its file is damaged", async () => {
    const { edge, paths } = await home();
    for (const port of ["0", "65536", "-1", "80x", "none", "1e3"]) await assert.rejects(edge(port), /it is a number from 1 to 65535, 'auto' \(any free one\) or 'off'/);
    for (const text of ["", "{", "null", '{"port":70000}', '{"port":"x"}']) {
      await writeFile(paths.networkFile, text);
      const { state, close } = await edge();
      assert.match(state.url!, /^https:/, text);
      await close();
    }
  });
  it("is not even tried at a port that is none by the command line", async () => {
    const { paths } = await home();
    for (const words of ["server start --port 0", "server run --port on", "server start --foreground --port 70000"]) {
      const { code, stderr } = await runIn(paths.home, words);
      assert.equal(code, 1);
      assert.match(stderr, /^error: Cannot listen at port "\w+": it is a number/);
    }
  });
  it("rotates: the old token is refused and its watches end, the kubeconfig has the new one, and keeps the rest", async () => {
    const { edge, way, kubeconfig, paths } = await home();
    const { rotate } = await edge();
    const before = await way();
    await writeFile(paths.kubeconfigFile, (await readFile(paths.kubeconfigFile, "utf8")).replace("namespace: default", "namespace: team"));
    const watch = await open(before, `${room}/workspaces?watch=true`);
    await rotate({ authority: false });
    for await (const _ of watch) assert.fail("nothing happened");
    assert.equal((await ask(before, "/api")).status, 401);
    const next = await way();
    assert.equal(next.ca, before.ca);
    assert.equal((await ask(next, "/api")).status, 200);
    assert.equal((await kubeconfig()).contexts[0].context.namespace, "team");
    await rotate({ authority: true });
    const last = await way();
    assert.notEqual(last.ca, before.ca);
    await assert.rejects(ask({ ...last, ca: before.ca }, "/api"));
    assert.equal((await ask(last, "/api")).status, 200);
  });
  it("takes rotations at the same time one after the other", async () => {
    const { edge, way } = await home();
    const { rotate } = await edge();
    await Promise.all([rotate({ authority: true }), rotate({ authority: false }), rotate({ authority: true })]);
    assert.equal((await ask(await way(), "/api")).status, 200);
  });
  it("renews its certificate while it runs, and drops no connection for it", async () => {
    // A certificate of the virtual future is not valid yet on this machine: it is looked at, not verified.
    const clock = createVirtualClock(systemClock.now());
    const { edge, way } = await home();
    const opened = await edge(undefined, clock);
    const stop = new AbortController();
    const running = opened.run(stop.signal);
    cleanups.push(async () => stop.abort());
    const { port, ...before } = await way();
    const look = async (): Promise<TLSSocket> => {
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
      await once(socket, "secureConnect");
      cleanups.push(async () => void socket.destroy());
      return socket;
    };
    const serialOf = (socket: TLSSocket) => socket.getPeerCertificate().serialNumber;
    /** A day with one look in it, which takes its real time: the virtual clock stands still until the next is armed. */
    const day = async () => {
      await clock.advance(dayMs);
      while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    const first = await look();
    const watch = await open({ port, ...before }, `${room}/workspaces?watch=true`);
    let ended = false;
    watch.on("end", () => (ended = true)).on("error", () => (ended = true)).resume();
    for (let days = 0; days < 59; days++) await day();
    assert.equal(serialOf(await look()), serialOf(first));
    for (let days = 0; days < 2; days++) await day();
    const third = await look();
    assert.notEqual(serialOf(third), serialOf(first));
    const renewed = third.getPeerX509Certificate()!;
    assert.ok(Date.parse(renewed.validTo) > clock.now() + 88 * dayMs);
    assert.ok(renewed.verify(new X509Certificate(before.ca).publicKey));
    assert.equal(first.destroyed, false);
    assert.equal(ended, false);
    assert.deepEqual(await way(), { port, ...before });
    stop.abort();
    await running;
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { createServer, connect as connectTcp, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, type Duplex } from "node:stream";
import { after, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { silentLogger } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { systemClock } from "../../src/base/system.ts";
import type { RunningCommand } from "../../src/server/commands.ts";
import { listen, type Listener } from "../../src/server/listener.ts";
import { FrameReader, writeFrame, type SpdyFrame } from "../../src/server/spdy/frames.ts";
import { HeaderWriter } from "../../src/server/spdy/headers.ts";
import { createUpgrader } from "../../src/server/upgrade.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { createPodStore } from "../../src/store/pod-store.ts";
import { service, workspace } from "../conformance/store/fixture.ts";
import { eventually } from "../harness/eventually.ts";
import { testApp } from "./server-harness.ts";

/** A command whose far side is the test: prints its stdin in capitals on stdout, "!" on stderr, and ends with 3 after it. */
function shouter(killed: string[]): RunningCommand {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  stdin.on("data", (part: Buffer) => stdout.write(part.toString().toUpperCase()));
  const exit = new Promise<{ readonly code: number; readonly signal: undefined }>((resolve) => stdin.on("end", () => {
    stdout.end();
    stderr.end("!");
    resolve({ code: 3, signal: undefined });
  }));
  return { stdin, stdout, stderr, exit, kill: (name = "SIGTERM") => void killed.push(name) };
}

describe("a Pod's upgrades", { timeout: 30_000 }, () => {
  const base = createMemoryStore({ clock: systemClock, random: seededRandom(1) });
  const store = createPodStore(base, systemClock);
  const killed: string[] = [];
  const wishes: object[] = [];
  let directory: string;
  let listener: Listener;
  let echo: Server;
  let dialled: Duplex[] = [];

  before(async () => {
    echo = createServer({ allowHalfOpen: true }, (socket) => void socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
    await once(echo, "listening");
    await base.create("Workspace", workspace("dev"));
    await base.create("Workspace", workspace("unplaced"));
    await base.updateStatus("Workspace", { ...(await base.get("Workspace", { namespace: "default", name: "dev" })), status: { nodeName: "n1" } });
    await base.create("Service", service("web"));
    const upgrade = createUpgrader({
      store, clock: systemClock, log: silentLogger,
      commands: (wish) => {
        wishes.push({ kind: wish.kind, name: wish.ref.name, argv: wish.argv, terminal: wish.terminal });
        return Promise.resolve(shouter(killed));
      },
      logs: (ref, options) => Promise.resolve(PassThrough.from([Buffer.from(`${ref.name} says ${String(options.tailLines)}\n`)])),
      dial: async (_ref, port) => {
        if (port === 1) return "refused";
        if (port === 2) throw new Error("the engine is silent");
        const far = connectTcp({ port: (echo.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
        await once(far, "connect");
        dialled.push(far);
        return far;
      },
    });
    directory = await mkdtemp(join(tmpdir(), "vendetta-"));
    listener = await listen({ app: testApp({ store }).app, upgrade, socketPath: join(directory, "run", "api.sock"), log: silentLogger, clock: systemClock });
  });
  after(async () => {
    await listener.close();
    echo.close();
    await rm(directory, { recursive: true });
  });

  /** Asks for an upgrade; the connection, or the refusal's Status. */
  const ask = (path: string, headers: Record<string, string>, method = "POST") =>
    new Promise<{ readonly response: IncomingMessage; readonly socket?: Duplex; readonly status?: any }>((resolve, reject) => {
      const asked = request({ socketPath: listener.socketPath, path: `/api/v1/namespaces/default/pods/${path}`, method, headers: { host: "localhost", connection: "Upgrade", ...headers } });
      asked.on("upgrade", (response, socket) => resolve({ response, socket }));
      asked.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part)).on("end", () => resolve({ response, status: JSON.parse(text) }));
      });
      asked.on("error", reject);
      asked.end();
    });
  const spdy = (protocol: string) => ({ upgrade: "SPDY/3.1", "x-stream-protocol-version": protocol });

  /** The client's end of SPDY/3.1. */
  const speak = async (path: string, protocol: string) => {
    const { socket, response, status } = await ask(path, spdy(protocol));
    assert.ok(socket, JSON.stringify(status));
    assert.equal(response.headers["x-stream-protocol-version"], protocol);
    const frames: SpdyFrame[] = [];
    const reader = new FrameReader();
    let closed = false;
    socket.on("data", (chunk: Buffer) => frames.push(...reader.read(chunk))).on("error", () => {}).on("end", () => (closed = true));
    const writer = new HeaderWriter();
    const said = (stream: number) => Buffer.concat(frames.flatMap((frame) => (frame.type === "data" && frame.stream === stream ? [frame.bytes] : []))).toString();
    const ended = (stream: number) => frames.some((frame) => (frame.type === "data" && frame.stream === stream && frame.fin) || (frame.type === "rst-stream" && frame.stream === stream));
    return {
      socket, frames, said, ended, closed: () => closed,
      open: (id: number, headers: Record<string, string>) => socket.write(writeFrame.synStream(id, writer.write(headers))),
      write: (id: number, text: string, fin = false) => socket.write(writeFrame.data(id, Buffer.from(text), fin)),
    };
  };

  const refusals: readonly (readonly [path: string, headers: Record<string, string>, method: string, code: number, words: RegExp])[] = [
    ["nobody/exec?command=x", spdy("v4.channel.k8s.io"), "POST", 404, /pods "nobody" not found/],
    ["unplaced/exec?command=x", spdy("v4.channel.k8s.io"), "POST", 400, /pod unplaced does not have a host assigned/],
    ["dev/exec?command=x", spdy("v4.channel.k8s.io"), "POST", 400, /a container name must be specified for pod dev, choose one of: \[web workspace\]/],
    ["dev/exec?command=x&container=db", spdy("v4.channel.k8s.io"), "POST", 400, /container db is not valid for pod dev/],
    ["dev/exec?container=web", spdy("v4.channel.k8s.io"), "POST", 400, /at least one command/],
    ["dev/exec?command=x&container=web", spdy("v1.channel.k8s.io"), "POST", 403, /client supports \[v1.channel.k8s.io\], server accepts \[v4.channel.k8s.io\]/],
    ["dev/exec?command=x&container=web", { upgrade: "h2c" }, "POST", 400, /Upgrade to WebSocket required/],
    ["dev/attach?container=workspace", spdy("v4.channel.k8s.io"), "POST", 400, /kubectl exec -it dev -c workspace -- sh/],
    ["dev/log", spdy("v4.channel.k8s.io"), "POST", 404, /could not find/],
    ["%ZZ/exec?command=x", spdy("v4.channel.k8s.io"), "POST", 400, /path/],
    ["dev/portforward", { upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-protocol": "v5.channel.k8s.io" }, "GET", 400, /SPDY\/3.1\+portforward.k8s.io/],
  ];
  for (const [path, headers, method, code, words] of refusals) {
    it(`${path} ${headers["x-stream-protocol-version"] ?? headers["upgrade"]}: ${code}`, async () => {
      const { response, status } = await ask(path, headers, method);
      assert.equal(response.statusCode, code);
      assert.match(status.message, words);
    });
  }

  it("run a command over SPDY: in the container's place, streams apart, its exit code on the error stream", async () => {
    const { open, write, said, ended, closed, socket } = await speak("dev/exec?command=shout&command=it&container=web&stdin=true&stdout=true&stderr=true", "v4.channel.k8s.io");
    assert.deepEqual(wishes.at(-1), { kind: "Service", name: "web", argv: ["shout", "it"], terminal: false });
    for (const [id, streamtype] of [[1, "error"], [3, "stdin"], [5, "stdout"], [7, "stderr"]] as const) open(id, { streamtype });
    write(3, "hello ");
    write(3, "there", true);
    await eventually(() => assert.ok(ended(1) && ended(5) && ended(7) && closed()), 10_000, 5);
    assert.deepEqual([said(5), said(7)], ["HELLO THERE", "!"]);
    assert.deepEqual(JSON.parse(said(1)).details.causes, [{ reason: "ExitCode", message: "3" }]);
    socket.end();
  });
  it("end the command when its caller goes", async () => {
    killed.length = 0;
    const { open, socket } = await speak("dev/exec?command=x&container=workspace&stdin=true", "v4.channel.k8s.io");
    assert.deepEqual(wishes.at(-1), { kind: "Workspace", name: "dev", argv: ["x"], terminal: false });
    open(1, { streamtype: "error" });
    socket.destroy();
    await eventually(() => assert.ok(killed.includes("SIGTERM")), 10_000, 5);
  });
  it("attach to what a Service says from now on", async () => {
    const { open, said, ended, socket } = await speak("dev/attach?container=web", "v4.channel.k8s.io");
    for (const [id, streamtype] of [[1, "error"], [3, "stdout"], [5, "stderr"]] as const) open(id, { streamtype });
    await eventually(() => assert.ok(ended(1)), 10_000, 5);
    assert.deepEqual([said(3), JSON.parse(said(1)).status], ["web says 0\n", "Success"]);
    socket.end();
  });

  it("forward connections, each direction ended apart, many on one connection", async () => {
    const { open, write, said, ended, socket } = await speak("dev/portforward", "portforward.k8s.io");
    for (let i = 0; i < 50; i++) {
      open(4 * i + 1, { streamtype: "error", port: "80", requestid: String(i) });
      write(4 * i + 1, "", true);
      open(4 * i + 3, { streamtype: "data", port: "80", requestid: String(i) });
      write(4 * i + 3, `hello ${i}`);
    }
    for (let i = 0; i < 50; i++) await eventually(() => assert.equal(said(4 * i + 3), `hello ${i}`), 10_000, 5);
    // What comes after the caller's last word still comes.
    for (let i = 0; i < 50; i++) write(4 * i + 3, "!", true);
    for (let i = 0; i < 50; i++) await eventually(() => assert.ok(ended(4 * i + 1) && ended(4 * i + 3)), 10_000, 5);
    for (let i = 0; i < 50; i++) assert.deepEqual([said(4 * i + 3), said(4 * i + 1)], [`hello ${i}!`, ""]);
    socket.end();
  });
  it("forward over channels, as client libraries do: ports first, then bytes, and words about what cannot be reached", async () => {
    const socket = new WebSocket(`ws+unix:${listener.socketPath}:/api/v1/namespaces/default/pods/dev/portforward?ports=80&ports=1,2`, ["v5.channel.k8s.io", "v4.channel.k8s.io"], { headers: { host: "localhost" } });
    const said = new Map<number, Buffer>();
    socket.on("message", (data: Buffer) => said.set(data[0]!, Buffer.concat([said.get(data[0]!) ?? Buffer.alloc(0), data.subarray(1)])));
    await once(socket, "open");
    assert.equal(socket.protocol, "v4.channel.k8s.io");
    socket.send(Buffer.concat([Buffer.of(0), Buffer.from("hello")]));
    await eventually(() => assert.equal(said.get(0)?.subarray(2).toString(), "hello"), 10_000, 5);
    assert.deepEqual([0, 1, 2, 3, 4, 5].map((channel) => said.get(channel)?.readUInt16LE()), [80, 80, 1, 1, 2, 2]);
    await eventually(() => assert.match(said.get(5)!.toString(), /^\x02\0error forwarding port 2 to pod dev, uid .*: the engine is silent$/), 10_000, 5);
    assert.match(said.get(3)!.toString(), /connection refused/);
    const closed = once(socket, "close");
    // The far end goes: so does the connection, since nothing else is open.
    dialled.at(-1)!.end();
    assert.equal((await closed)[0], 1000);
    const refused = await ask("dev/portforward", { upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-protocol": "v4.channel.k8s.io" }, "GET");
    assert.match(refused.status.message, /"ports" is required/);
  });
  it("cut a connection to a port nobody listens on, and say why an instance cannot be reached", async () => {
    const { open, said, ended, write, socket } = await speak("dev/portforward", "portforward.k8s.io");
    for (const [id, port] of [[1, "1"], [5, "2"]] as const) {
      open(id, { streamtype: "error", port, requestid: port });
      write(id, "", true);
      open(id + 2, { streamtype: "data", port, requestid: port });
      await eventually(() => assert.ok(ended(id) && ended(id + 2)), 10_000, 5);
    }
    assert.equal(said(1), "");
    assert.match(said(5), /^error forwarding port 2 to pod dev, uid .*: the engine is silent$/);
    // The forward goes on.
    open(9, { streamtype: "error", port: "80", requestid: "x" });
    open(11, { streamtype: "data", port: "80", requestid: "x" });
    write(11, "still");
    await eventually(() => assert.equal(said(11), "still"), 10_000, 5);
    socket.end();
  });
  it("refuse streams that make no sense", async () => {
    const { open, frames, socket } = await speak("dev/portforward", "portforward.k8s.io");
    open(1, { streamtype: "data", port: "0", requestid: "0" });
    open(3, { streamtype: "data", port: "80" });
    open(5, { streamtype: "stdin", port: "80", requestid: "0" });
    open(7, { streamtype: "data", port: "80", requestid: "1" });
    open(9, { streamtype: "data", port: "80", requestid: "1" });
    const reset = () => frames.flatMap((frame) => (frame.type === "rst-stream" ? [frame.stream] : []));
    await eventually(() => assert.deepEqual(reset(), [1, 3, 5, 9]), 10_000, 5);
    socket.end();
  });
  it("let go of the far ends when the caller goes", async () => {
    dialled = [];
    const { open, write, said, socket } = await speak("dev/portforward", "portforward.k8s.io");
    open(1, { streamtype: "error", port: "80", requestid: "0" });
    open(3, { streamtype: "data", port: "80", requestid: "0" });
    write(3, "x");
    await eventually(() => assert.equal(said(3), "x"), 10_000, 5);
    socket.destroy();
    await eventually(() => assert.ok(dialled[0]!.destroyed), 10_000, 5);
  });
});

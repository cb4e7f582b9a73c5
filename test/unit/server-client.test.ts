import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { parseLabelSelector } from "../../src/api/label-selector.ts";
import { parseFieldSelector } from "../../src/api/selectors.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { createHttpStore, type HttpStore } from "../../src/client/http-store.ts";
import { linesOf } from "../../src/client/lines.ts";
import { fieldSelectorText, labelSelectorText } from "../../src/client/selector-text.ts";
import { listen } from "../../src/server/listener.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { testServer, workspace } from "./server-harness.ts";

const ref = { namespace: "default", name: "a" };
const reason = (wanted: string, message?: RegExp) => (error: unknown) => error instanceof StatusError && error.reason === wanted && (message === undefined || message.test(error.message));

/** A server that answers as told, for what ours never does. */
async function strange(handler: Parameters<typeof createServer>[1], use: (client: HttpStore, clock: ReturnType<typeof createVirtualClock>) => Promise<void>): Promise<void> {
  await using dir = await temporaryDirectory();
  const socketPath = join(dir.path, "s");
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const clock = createVirtualClock();
  const client = createHttpStore({ socketPath, clock, userAgent: "test" });
  try {
    await use(client, clock);
  } finally {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe("the client", () => {
  it("says what to do when no server is there", async () => {
    const client = createHttpStore({ socketPath: "/nonexistent/api.sock", clock: systemClock, userAgent: "test" });
    const wanted = reason("ServiceUnavailable", /^Cannot reach the vendetta server at \/nonexistent\/api\.sock; run 'vendetta server start'$/);
    await assert.rejects(client.get("Workspace", ref), wanted);
    await assert.rejects(client.logs(ref), wanted);
    await assert.rejects(client.watch("Workspace", {}, new AbortController().signal)[Symbol.asyncIterator]().next(), wanted);
  });
  it("gives the server's errors as they are", async () => {
    const server = await testServer();
    await assert.rejects(server.client.get("Workspace", ref), (error) => error instanceof StatusError && error.reason === "NotFound" && error.details.name === "a");
    await assert.rejects(server.client.create("Workspace", workspace("a", { bogus: 1 }) as never), (error) => error instanceof StatusError && error.reason === "Invalid" && error.details.causes![0]!.field === "spec.bogus");
    await server.stop();
  });
  it("freezes what it hands out", async () => {
    const server = await testServer();
    const made = await server.client.create("Workspace", workspace("a") as never);
    assert.ok(Object.isFrozen(made) && Object.isFrozen(made.spec.resources));
    await server.stop();
  });
  it("gives tables and logs", async () => {
    const server = await testServer({ logs: (_, { tailLines }) => Promise.resolve(Readable.from([Buffer.from(`tail ${tailLines}\n`)])) });
    await server.client.create("Workspace", workspace("a") as never);
    await server.client.create("Service", { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "web", namespace: "default" }, spec: { workspace: "a", command: ["x"] } } as never);
    assert.deepEqual((await server.client.listTable("Workspace", { namespace: "default" })).rows.map((row) => row.cells[0]), ["a"]);
    assert.equal((await server.client.getTable("Workspace", ref, { includeObject: "Object" })).rows[0]!.object!.kind, "Workspace");
    const text: string[] = [];
    for await (const chunk of await server.client.logs({ namespace: "default", name: "web" }, { tailLines: 7 })) text.push(String(chunk));
    assert.equal(text.join(""), "tail 7\n");
    const watching = new AbortController();
    for await (const event of server.client.watchTable("Workspace", { from: "1" }, watching.signal)) {
      assert.ok(event.type === "ADDED" && event.table.rows[0]!.cells[0] === "a");
      watching.abort();
    }
    await server.stop();
  });
  it("goes on with a watch over a restart of the server's edge, missing nothing", async () => {
    const server = await testServer();
    const watching = new AbortController();
    const events = server.client.watch("Workspace", {}, watching.signal)[Symbol.asyncIterator]();
    const first = events.next();
    await new Promise((resolve) => setImmediate(resolve));
    await server.client.create("Workspace", workspace("a") as never);
    assert.equal(((await first).value as any).object.metadata.name, "a");
    const second = events.next();
    await server.listener.close();
    await server.store.create("Workspace", workspace("b") as never);
    const again = await listen({ app: server.app, socketPath: server.socketPath, log: silentLogger, clock: systemClock });
    assert.equal(((await second).value as any).object.metadata.name, "b");
    watching.abort();
    assert.equal((await events.next()).done, true);
    await again.close();
    await server.stop();
  });
  it("gives Gone for a version that is no longer kept", async () => {
    const server = await testServer({ historyEventsMax: 2 });
    for (const name of ["a", "b", "c", "d"]) await server.store.create("Workspace", workspace(name) as never);
    await assert.rejects(server.client.watch("Workspace", { from: "1" }, new AbortController().signal)[Symbol.asyncIterator]().next(), reason("Gone"));
    await server.stop();
  });
  it("does not wait for ever for an answer, or for the end of one", async () => {
    for (const handler of [() => undefined, (_: unknown, response: any) => response.writeHead(200).write("{")] as const) {
      await strange(handler as never, async (client, clock) => {
        const answer = client.get("Workspace", ref);
        answer.catch(() => undefined);
        for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
        await clock.advance(30_000);
        await assert.rejects(answer, reason("Timeout", /does not answer/));
        assert.equal(clock.pending, 0);
      });
    }
  });
  it("survives answers that are no Status and no JSON", async () => {
    await strange((_, response) => response.writeHead(502).end("<html>"), (client) => assert.rejects(client.get("Workspace", ref), reason("InternalError", /502: <html>/)));
    await strange((_, response) => response.writeHead(200).end("<html>"), (client) => assert.rejects(client.get("Workspace", ref), reason("InternalError", /no JSON/)));
    await strange((_, response) => response.writeHead(200).end("nonsense\n"), (client) => assert.rejects(client.watch("Workspace", { from: "1" }, new AbortController().signal)[Symbol.asyncIterator]().next(), reason("InternalError", /no JSON/)));
  });
  it("gives up on a server whose watches end as soon as they begin", async () => {
    let asked = 0;
    await strange((_, response) => {
      asked++;
      response.writeHead(200).end();
    }, async (client, clock) => {
      const next = client.watch("Workspace", { from: "1" }, new AbortController().signal)[Symbol.asyncIterator]().next();
      let settled = false;
      next.then(() => (settled = true), () => (settled = true));
      for (let i = 0; i < 2000 && !settled; i++) {
        await clock.advance(clock.nextDueMs === 1000 ? 1000 : 0);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await assert.rejects(next, reason("ServiceUnavailable"));
      assert.equal(asked, 5);
    });
  });
  it("asks a second time when a kept connection was closed under it, for reads only", async () => {
    let requests = 0;
    await strange((incoming, response) => {
      requests++;
      if (requests === 2) return incoming.socket.destroy() && undefined;
      response.setHeader("content-type", "application/json");
      response.end("{}");
    }, async (client) => {
      await client.version();
      await client.version();
      assert.equal(requests, 3);
      requests = 1;
      await assert.rejects(client.create("Workspace", workspace("a") as never), reason("ServiceUnavailable", /broke/));
    });
  });
});

describe("linesOf", () => {
  const lines = async (chunks: readonly string[], max?: number) => {
    const found: string[] = [];
    for await (const line of linesOf(Readable.from(chunks.map((each) => Buffer.from(each, "latin1"))) as AsyncIterable<Buffer>, max)) found.push(line);
    return found;
  };
  it("joins pieces, splits chunks, leaves out blanks and a cut end", async () => {
    assert.deepEqual(await lines(["a", "b\nc", "\n\n", "d\n", "cut"]), ["ab", "c", "d"]);
  });
  it("does not mind where the chunks are cut", async () => {
    const text = "one\n\ntwo é\nthree\n";
    const bytes = Buffer.from(text);
    for (let i = 0; i <= bytes.length; i++) assert.deepEqual(await lines([bytes.subarray(0, i).toString("latin1"), bytes.subarray(i).toString("latin1")]), ["one", "two é", "three"]);
  });
  it("joins a character cut in two", async () => assert.deepEqual(await lines(["\xc3", "\xa9\n"]), ["é"]));
  it("has a bound", async () => {
    await assert.rejects(lines(["xxxx", "xxxx"], 5), reason("InternalError", /longer than 5 bytes/));
    await assert.rejects(lines(["xxxxxxxx\n"], 5), reason("InternalError"));
    assert.deepEqual(await lines(["xxxxx\n", "yyyyy\n"], 5), ["xxxxx", "yyyyy"]);
  });
});

describe("selectors as text", () => {
  for (const text of ["app=web", "app in (a,b),tier notin (c),x,!y", "app!=a", "a.b/c=", ""]) {
    it(`"${text}" comes back the same`, () => assert.deepEqual(parseLabelSelector(labelSelectorText(parseLabelSelector(text))), parseLabelSelector(text)));
  }
  it("fields too", () => {
    const allowed = ["metadata.name", "spec.x"];
    const selector = parseFieldSelector("metadata.name=a,spec.x!=b", allowed);
    assert.deepEqual(parseFieldSelector(fieldSelectorText(selector), allowed), selector);
  });
});

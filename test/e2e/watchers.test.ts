// Test run: about 65 s.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request, type IncomingMessage } from "node:http";
import { after, before, describe, it } from "node:test";
import { homePaths } from "../../src/base/home.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";

const watchersCount = 200;
const writersCount = 50;
const writingMs = 60_000;
/** Written at least, however long it takes: more than the server holds for a watcher that does not read, and than fits into a socket. */
const writesMin = 6000;
/** A writer rests this long between two writes: fifty of them make some hundreds a second, which is two hundred times as many events. */
const restMs = 150;
/** What the server may hold more than before: its history, and what is on its way to watchers. */
const memoryGrowthBytesMax = 400 * 1024 * 1024;

const rooms = "/api/v1/namespaces";
const collection = `${rooms}/load/events`;

/** One change as a watcher must see it. */
type Seen = `${"ADDED" | "MODIFIED" | "DELETED"} ${string} ${number}`;

describe("200 watchers beside 50 writers", () => {
  let cli: TestCli;
  let socketPath: string;
  const agent = new Agent({ keepAlive: true, maxSockets: writersCount });

  before(async () => {
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    socketPath = homePaths(cli.env).socketPath;
    await cli.ok("server", "start");
    await call("POST", rooms, { apiVersion: "v1", kind: "Namespace", metadata: { name: "load" } });
  });
  after(async () => {
    agent.destroy();
    await cli?.dispose();
  });

  const open = async (method: string, path: string, body: unknown, kept: boolean): Promise<IncomingMessage> => {
    const payload = body === undefined ? "" : JSON.stringify(body);
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const asked = request({ socketPath, method, path, agent: kept ? agent : false, headers: { host: "localhost", ...(body === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(payload) }) } });
    asked.end(payload);
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    return response;
  };
  async function call(method: string, path: string, body?: unknown): Promise<any> {
    const response = await open(method, path, body, true);
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    const answer = JSON.parse(text);
    if (response.statusCode! >= 300) throw new Error(`${method} ${path}: ${text}`);
    return answer;
  }
  const version = async () => (await call("GET", `${collection}?limit=1`)).metadata.resourceVersion as string;

  /** Calls `told` with each line of a watch, until the answer ends. */
  const watch = async (from: string, told: (line: string) => void) => {
    const response = await open("GET", `${collection}?watch=true&resourceVersion=${from}`, undefined, false);
    let rest = "";
    response.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      lines.forEach(told);
    });
    const ended = new Promise<void>((resolve) => response.once("close", resolve));
    return { response, ended };
  };
  const seenIn = (line: string): Seen => {
    const [, type, name, at] = /^\{"type":"([A-Z]+)".*?"name":"([^"]+)".*?"resourceVersion":"(\d+)"/.exec(line) ?? [];
    assert.ok(type !== undefined && name !== undefined, `an event of the watch: ${line.slice(0, 300)}`);
    return `${type as "ADDED"} ${name} ${Number(at)}`;
  };
  const serverBytes = (pid: number) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;

  it("each sees every change once and in order; who stops reading is told Gone and recovers by a list", { timeout: 400_000 }, async (t) => {
    const pid = await cli.serverPid();
    const from = await version();
    const before = serverBytes(pid);
    const seen: Seen[][] = Array.from({ length: watchersCount }, () => []);
    const watches = await Promise.all(seen.map((own) => watch(from, (line) => own.push(seenIn(line)))));
    const stalledLines: string[] = [];
    const stalled = await watch(from, (line) => stalledLines.push(line));
    stalled.response.pause();

    const written: { readonly at: number; readonly seen: Seen }[] = [];
    const ack = (type: "ADDED" | "MODIFIED" | "DELETED", object: any) => {
      const at = Number(object.metadata.resourceVersion);
      written.push({ at, seen: `${type} ${object.metadata.name} ${at}` });
    };
    const begun = performance.now();
    const enough = () => performance.now() - begun >= writingMs && written.length >= writesMin;
    let most = before;
    await Promise.all(Array.from({ length: writersCount }, async (_, writer) => {
      const rest = () => new Promise((resolve) => setTimeout(resolve, restMs * (0.5 + Math.random())));
      for (let round = 0; !enough(); round++) {
        const name = `w${writer}-${round}`;
        const involvedObject = { kind: "Workspace", namespace: "load", name };
        ack("ADDED", await call("POST", collection, { apiVersion: "v1", kind: "Event", metadata: { name }, involvedObject, reason: "Load", message: "x".repeat(200) }));
        for (let count = 1; count <= 5; count++) {
          await rest();
          ack("MODIFIED", await call("PATCH", `${collection}/${name}`, { count }));
        }
        const response = await open("DELETE", `${collection}/${name}`, { kind: "DeleteOptions", apiVersion: "v1" }, true);
        response.resume();
        assert.equal(response.statusCode, 200);
        written.push({ at: 0, seen: `DELETED ${name} 0` });
        if (writer === 0) most = Math.max(most, serverBytes(pid));
      }
    }));

    const writtenMs = performance.now() - begun;
    const all = written.length;
    await eventually(() => {
      const behind = seen.filter((own) => own.length < all).length;
      assert.equal(behind, 0, `${behind} watchers have not seen all ${all} changes`);
    }, 60_000, 200);
    t.diagnostic(`${all} writes in ${Math.round(writtenMs / 1000)} s, ${all * watchersCount} events; the server's memory grew by at most ${Math.round((most - before) / 2 ** 20)} MiB`);

    // A DELETE's answer names no version: the first watcher's does, and all others must agree with it.
    const [first] = seen as [Seen[]];
    const versions = first.map((each) => Number(each.split(" ")[2]));
    assert.ok(versions.every((each, i) => i === 0 || versions[i - 1]! < each), "versions go up");
    const withoutVersionOfDeletes = (each: Seen) => (each.startsWith("DELETED") ? each.replace(/\d+$/, "0") : each);
    assert.deepEqual(first.map(withoutVersionOfDeletes).sort(), written.map((each) => each.seen).sort(), "what was acknowledged is what was seen, each once");
    for (const own of seen) assert.deepEqual(own, first);
    assert.ok(most - before < memoryGrowthBytesMax, `the server grew by ${most - before} bytes`);

    // The one that did not read.
    stalled.response.resume();
    await stalled.ended;
    const last = JSON.parse(stalledLines.at(-1)!);
    assert.deepEqual([last.type, last.object.code, last.object.kind], ["ERROR", 410, "Status"]);
    const list = await call("GET", collection);
    const again: Seen[] = [];
    const recovered = await watch(list.metadata.resourceVersion, (line) => again.push(seenIn(line)));
    const after = await call("POST", collection, { apiVersion: "v1", kind: "Event", metadata: { name: "after" }, involvedObject: { namespace: "load" } });
    await eventually(() => assert.deepEqual(again, [`ADDED after ${after.metadata.resourceVersion}`]), 10_000);

    for (const { response } of [...watches, recovered]) response.destroy();
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Provider, ProviderError } from "../../../src/providers/provider.ts";
import { eventually } from "../../harness/eventually.ts";
import type { Kit } from "./suite-kit.ts";

/** Ports inside, from the node. */
export function reachCases({ test, signal, running, shared, run, patient }: Kit): void {
  const serve = async (provider: Provider, id: string, port: number, page: string) => {
    const server = await provider.exec(id, ["sh", "-c", `mkdir -p www${port} && echo ${page} > www${port}/index.html; exec busybox httpd -f -p ${port} -h www${port}`], { workingDir: "/tmp" });
    server.stdout.resume();
    server.stderr.resume();
    return server;
  };
  const answers = (nodePort: number, page: string) =>
    eventually(async () => assert.equal(await (await fetch(`http://127.0.0.1:${nodePort}/`, { signal: AbortSignal.timeout(1000) })).text(), `${page}\n`), patient(5000), 50);
  const silent = (nodePort: number) => eventually(() => assert.rejects(fetch(`http://127.0.0.1:${nodePort}/`, { signal: AbortSignal.timeout(1000) })), patient(5000), 50);
  // Whoever shares the node's network serves on ports of the node.
  const inner = 18000 + (process.pid % 1000);
  let asked = 0;
  const nextPort = () => 26000 + (process.pid % 1000) + 1000 * asked++;
  const published = (nodePort: number, port = 80) => ({ port, nodePort, protocol: "tcp" as const });

  test("dial reaches what listens inside, and says when nothing does", async (provider) => {
    const id = await shared(provider);
    const server = await serve(provider, id, inner, "found");
    await eventually(async () => (await provider.dial(id, inner, signal())).destroy(), patient(5000));
    await assert.rejects(provider.dial(id, 1, signal()), (error: ProviderError) => error.reason === "ConnectionRefused");
    server.kill("SIGKILL");
    await server.exit;
  });
  test("dial carries what is said, both ways and to its end", async (provider) => {
    const id = await running(provider);
    const server = await serve(provider, id, inner + 1000, "dialed");
    const stream = await eventually(() => provider.dial(id, inner + 1000, signal()), patient(5000));
    let said = "";
    stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise((resolve) => stream.once("end", resolve));
    stream.write("GET / HTTP/1.0\r\n\r\n");
    await ended;
    stream.end();
    assert.match(said, /^HTTP\/1\.\d 200 [^]*dialed\n$/);
    server.kill("SIGKILL");
    await server.exit;
    await provider.stop(id, 0, signal());
    await assert.rejects(provider.dial(id, inner + 1000, signal()), (error: ProviderError) => error.reason === "NotRunning");
  });
  test("publishes a port where it was told to, and says when that is taken", async (provider) => {
    const ports = [published(nextPort())];
    const id = await running(provider, { ports });
    assert.deepEqual((await provider.inspect(id, signal()))?.ports, ports);
    await assert.rejects(running(provider, { ports }), (error: ProviderError) => error.reason === "PortInUse" && error.message.includes(String(ports[0]!.nodePort)));
  });
  test("answers on a published port", async (provider) => {
    const nodePort = nextPort();
    const id = await running(provider, { ports: [published(nodePort)] });
    await serve(provider, id, 80, "published");
    await answers(nodePort, "published");
    await provider.stop(id, 0, signal());
    await provider.start(id, signal());
    await serve(provider, id, 80, "again");
    await answers(nodePort, "again");
  });
  test("is started without a published port that was taken away from it, with its disk as it was", async (provider) => {
    const [taken, kept] = [nextPort(), nextPort()];
    const id = await running(provider, { ports: [published(taken), published(kept, 81)] });
    await assert.rejects(provider.withdraw!(id, [taken], signal()), (error: ProviderError) => error.reason === "StillRunning");
    await run(provider, id, ["sh", "-c", "echo kept >/own-disk && sync"]);
    await provider.stop(id, 0, signal());
    const thief = createServer().listen({ host: "127.0.0.1", port: taken });
    await once(thief, "listening");
    try {
      await assert.rejects(provider.start(id, signal()), (error: ProviderError) => error.reason === "PortInUse" && error.message.includes(String(taken)));
      await provider.withdraw!(id, [taken], signal());
      await provider.withdraw!(id, [taken], signal());
      assert.deepEqual([(await provider.inspect(id, signal()))!.state, (await provider.inspect(id, signal()))!.ports], ["stopped", [published(kept, 81)]]);
      await provider.start(id, signal());
    } finally {
      thief.close();
    }
    assert.equal((await run(provider, id, ["cat", "/own-disk"])).stdout.toString(), "kept\n");
    await serve(provider, id, 81, "still there");
    await answers(kept, "still there");
    await provider.withdraw!(`${id}-absent`, [kept], signal());
  });
  test("publishes other ports while it runs", async (provider) => {
    const [first, second, third] = [nextPort(), nextPort(), nextPort()];
    const id = await running(provider, { ports: [published(first)] });
    const { startId } = (await provider.inspect(id, signal()))!;
    await serve(provider, id, 80, "one");
    await serve(provider, id, 81, "two");
    await answers(first, "one");
    await provider.publish!(id, [published(second), published(third, 81)], signal());
    await provider.publish!(id, [published(second), published(third, 81)], signal());
    await answers(second, "one");
    await answers(third, "two");
    await silent(first);
    const found = (await provider.inspect(id, signal()))!;
    assert.deepEqual([found.startId, [...found.ports].sort((a, b) => a.port - b.port)], [startId, [published(second), published(third, 81)]]);
    const other = await shared(provider);
    await assert.rejects(provider.publish!(other, [published(second)], signal()), (error: ProviderError) => error.reason === "PortInUse" && error.message.includes(String(second)));
    await provider.publish!(id, [], signal());
    await silent(second);
    await provider.stop(id, 0, signal());
    await assert.rejects(provider.publish!(id, [], signal()), (error: ProviderError) => error.reason === "NotRunning");
  });
}

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testServer, type TestServer } from "../unit/server-harness.ts";
import { kubectlIn, type Kubectl } from "./kubectl.ts";

/** kubectl before an app. Disposing of it stops the app, too. */
export interface KubectlApp extends Kubectl {
  readonly server: TestServer;
}

/** Stock kubectl, with an empty home, before an app over a memory store that is reached by TCP on the loopback. */
export async function createKubectlApp(): Promise<KubectlApp> {
  const server = await testServer();
  const proxy = await proxyTo(server.socketPath);
  const home = mkdtempSync(join(tmpdir(), "vd-kubectl-"));
  const handedDown = Object.fromEntries(["PATH", "VENDETTA_TEST_RUN"].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  const kubectl = kubectlIn({ ...handedDown, HOME: home, TMPDIR: home, KUBECONFIG: "/dev/null" }, [`--server=${proxy.url}`]);
  return {
    ...kubectl,
    server,
    async dispose() {
      await kubectl.dispose();
      await proxy.close();
      await server.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A TCP port that leads to a unix socket: kubectl knows no such sockets. */
async function proxyTo(socketPath: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const proxy = createServer((outer) => {
    const inner = connect(socketPath);
    for (const each of [outer, inner]) {
      sockets.add(each);
      // An end that is gone takes the other with it; the test sees what kubectl says of it.
      each.on("error", () => undefined).on("close", () => {
        sockets.delete(each);
        outer.destroy();
        inner.destroy();
      });
    }
    outer.pipe(inner).pipe(outer);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async close() {
      for (const each of sockets) each.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

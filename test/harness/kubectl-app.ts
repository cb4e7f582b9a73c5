import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testServer, type TestServer } from "../unit/server-harness.ts";

/** Minor version of the kubectl that is found: 32 of v1.32.4; undefined when there is none. With CI=true a lack is an error. */
export function kubectlMinor(): number | undefined {
  let text: string;
  try {
    text = execFileSync("kubectl", ["version", "--client", "-o", "json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    if (process.env["CI"] === "true") throw new Error("kubectl is not installed; in CI that is a failure", { cause: error });
    return undefined;
  }
  const { clientVersion } = JSON.parse(text) as { readonly clientVersion: { readonly gitVersion: string } };
  return Number(/^v1\.(\d+)/.exec(clientVersion.gitVersion)?.[1]);
}

export interface KubectlOptions {
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export interface KubectlResult {
  readonly code: number | null;
  readonly text: string;
}

export interface Kubectl {
  readonly server: TestServer;
  /** Runs a command to its end, at most 30 s. What it prints, trimmed, stdout first. */
  run(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
  /** Starts one that has no end of its own. `text` is what it has printed so far; `stop` ends it. */
  start(args: readonly string[], options?: KubectlOptions): { readonly text: () => string; readonly stop: () => Promise<KubectlResult> };
  stop(): Promise<void>;
}

/** The stock kubectl, with an empty home, before an app over a memory store that is reached by TCP on the loopback. */
export async function startKubectl(options: Parameters<typeof testServer>[0] = {}): Promise<Kubectl> {
  const server = await testServer(options);
  const home = mkdtempSync(join(tmpdir(), "vd-kubectl-"));
  const sockets = new Set<Socket>();
  const proxy = createServer((outer) => {
    const inner = connect(server.socketPath);
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
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const spawned = (args: readonly string[], { stdin = "", env }: KubectlOptions) => {
    const text: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
    const printed = () => (text.stdout + text.stderr).replaceAll(url, "SERVER").trim();
    const child = spawn("kubectl", [`--server=${url}`, ...args], { env: { PATH: process.env["PATH"], HOME: home, KUBECONFIG: "/dev/null", TMPDIR: home, VENDETTA_TEST_RUN: process.env["VENDETTA_TEST_RUN"], ...env }, timeout: 30_000 });
    for (const stream of ["stdout", "stderr"] as const) child[stream].setEncoding("utf8").on("data", (part: string) => (text[stream] += part));
    const ended = new Promise<KubectlResult>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, text: printed() }));
    });
    // It may end without reading: its exit code tells.
    child.stdin.on("error", () => undefined);
    child.stdin.end(stdin);
    return { child, printed, ended };
  };
  return {
    server,
    run: (args, options = {}) => spawned(args, options).ended,
    start(args, options = {}) {
      const { child, printed, ended } = spawned(args, options);
      return {
        text: printed,
        stop: () => {
          child.kill();
          return ended;
        },
      };
    },
    async stop() {
      for (const each of sockets) each.destroy();
      await new Promise((resolve) => proxy.close(resolve));
      await server.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import type { CliResult, TestCli } from "./cli.ts";
import { eventually } from "./eventually.ts";

const kubectlFile = "/usr/bin/kubectl";

/** Why there is no kubectl to test with; undefined when there is. With CI=true a lack is an error, not a skip. */
export function kubectlUnavailable(): string | undefined {
  if (existsSync(kubectlFile)) return undefined;
  if (process.env["CI"] === "true") throw new Error(`${kubectlFile} is not installed; in CI that is a failure`);
  return `${kubectlFile} is not installed`;
}

export interface KubectlOptions {
  readonly stdin?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  /** Killed after so long, which shows as code null. Default 60,000. */
  readonly timeoutMs?: number;
}

/** Real kubectl, talking to the server of a TestCli. */
export interface TestKubectl {
  /** What `--server` is to be. */
  readonly server: string;
  run(args: readonly string[], options?: KubectlOptions): Promise<CliResult>;
  /** A command that must succeed; its stdout. @throws with everything it said */
  ok(...args: readonly string[]): Promise<string>;
  /** Starts one that goes on. `said` is its stdout and stderr so far. */
  start(args: readonly string[], options?: KubectlOptions): { readonly child: ChildProcessWithoutNullStreams; said(): string; end(): Promise<number | null> };
  /** `port-forward` to these ports of a Pod, ready to be used; the local ports in the same order. */
  forward(pod: string, ports: readonly number[], options?: KubectlOptions): Promise<{ readonly ports: readonly number[]; said(): string; end(): Promise<number | null> }>;
  dispose(): Promise<void>;
}

export async function createTestKubectl(cli: TestCli): Promise<TestKubectl> {
  const server = await bridge(join(cli.home, "run", "api.sock"));
  const spawned = new Set<ChildProcessWithoutNullStreams>();
  const start: TestKubectl["start"] = (args, { env = {}, stdin } = {}) => {
    const child = spawn(kubectlFile, [`--server=${server.url}`, ...args], { env: { ...cli.env, ...env } });
    spawned.add(child);
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stdin.on("error", () => {
      // It ended without reading what it was given: its exit code tells.
    });
    if (stdin !== undefined) child.stdin.end(stdin);
    const ended = once(child, "close").then(([code]) => {
      spawned.delete(child);
      return code as number | null;
    });
    return { child, said: () => said, end: () => (child.kill("SIGTERM"), ended) };
  };
  const kubectl: TestKubectl = {
    server: server.url,
    start,
    async run(args, options = {}) {
      const { child } = start(args, { stdin: "", ...options });
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (text: string) => (stdout += text));
      child.stderr.on("data", (text: string) => (stderr += text));
      const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 60_000);
      const [code] = (await once(child, "close")) as [number | null];
      clearTimeout(timer);
      return { code, stdout, stderr };
    },
    async ok(...args) {
      const { code, stdout, stderr } = await kubectl.run(args);
      if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
      return stdout;
    },
    async forward(pod, ports, options) {
      const running = start(["port-forward", `pod/${pod}`, ...ports.map((port) => `:${port}`), "--address=127.0.0.1"], options);
      const local = await eventually(() => {
        const found = ports.map((port) => Number(new RegExp(`Forwarding from 127\\.0\\.0\\.1:(\\d+) -> ${port}\\b`).exec(running.said())?.[1]));
        if (found.some(Number.isNaN)) throw new Error(`kubectl port-forward says: ${running.said()}`);
        return found;
      }, 20_000);
      return { ports: local, said: running.said, end: running.end };
    },
    async dispose() {
      for (const child of spawned) child.kill("SIGKILL");
      await server.close();
    },
  };
  return kubectl;
}

/** kubectl speaks to no unix socket: carries each connection on to the server's. */
async function bridge(socketPath: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: socketPath, allowHalfOpen: true });
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy()).on("close", () => {
        open.delete(one);
        other.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

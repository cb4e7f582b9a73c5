import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import type { CliResult, TestCli } from "./cli.ts";
import { eventually } from "./eventually.ts";

/** The kubectl that is found, as [major, minor]; undefined when there is none. */
function found(): readonly [number, number] | undefined {
  try {
    const { clientVersion } = JSON.parse(execFileSync("kubectl", ["version", "--client", "-o", "json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })) as { clientVersion: { gitVersion: string } };
    const [, major, minor] = /^v(\d+)\.(\d+)/.exec(clientVersion.gitVersion)!;
    return [Number(major), Number(minor)];
  } catch {
    return undefined;
  }
}

let version: ReturnType<typeof found> | "not asked" = "not asked";

/** Why kubectl, at least of this minor version of 1, cannot be used here; undefined when it can. With CI=true its absence is an error, not a skip. */
export function kubectlUnavailable(minorMin = 0): string | undefined {
  if (version === "not asked") version = found();
  if (version === undefined) {
    if (process.env["CI"] === "true") throw new Error("kubectl is not installed; in CI that is a failure");
    return "kubectl is not installed (Debian: kubernetes-client)";
  }
  return version[1] >= minorMin ? undefined : `kubectl is ${version.join(".")}, and this needs 1.${minorMin}`;
}

export interface KubectlOptions {
  readonly stdin?: string | Buffer | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Killed after so long, which shows as code null. Default 60,000. */
  readonly timeoutMs?: number | undefined;
}

/** A command that goes on. `said` is its stdout and stderr so far. */
export interface RunningKubectl {
  readonly child: ChildProcessWithoutNullStreams;
  said(): string;
  end(): Promise<number | null>;
}

export interface Kubectl {
  readonly env: Readonly<Record<string, string>>;
  /** Runs it to its end. */
  run(args: readonly string[], options?: KubectlOptions): Promise<CliResult>;
  /** Must succeed; its stdout. @throws with everything it said */
  ok(...args: readonly string[]): Promise<string>;
  /** Must fail with exit code 1; its stderr. */
  fails(...args: readonly string[]): Promise<string>;
  start(args: readonly string[], options?: KubectlOptions): RunningKubectl;
  /** `port-forward` to these ports of a Pod, ready to be used; the local ports in the same order. */
  forward(pod: string, ports: readonly number[], options?: KubectlOptions): Promise<RunningKubectl & { readonly ports: readonly number[] }>;
  /** Ends what goes on. */
  dispose(): void;
}

/** kubectl as the kubeconfig of that vendetta's home makes it. Starts the server when none runs. */
export async function createKubectl(cli: TestCli): Promise<Kubectl> {
  const env = { ...cli.env, KUBECONFIG: (await cli.ok("kubeconfig")).trim() };
  const running = new Set<ChildProcessWithoutNullStreams>();
  const start: Kubectl["start"] = (args, { env: more = {}, stdin } = {}) => {
    const child = spawn("kubectl", [...args], { env: { ...env, ...more } });
    running.add(child);
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stdin.on("error", () => {
      // It ended without reading what it was given: its exit code tells.
    });
    if (stdin !== undefined) child.stdin.end(stdin);
    const ended = once(child, "close").then(([code]) => {
      running.delete(child);
      return code as number | null;
    });
    return { child, said: () => said, end: () => (child.kill("SIGTERM"), ended) };
  };
  const kubectl: Kubectl = {
    env,
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
    async fails(...args) {
      const { code, stdout, stderr } = await kubectl.run(args);
      if (code !== 1) throw new Error(`kubectl ${args.join(" ")} ended with ${code}, not 1\n${stdout}\n${stderr}`);
      return stderr;
    },
    async forward(pod, ports, options) {
      const forwarding = start(["port-forward", `pod/${pod}`, ...ports.map((port) => `:${port}`), "--address=127.0.0.1"], options);
      const local = await eventually(() => {
        const found = ports.map((port) => Number(new RegExp(`Forwarding from 127\\.0\\.0\\.1:(\\d+) -> ${port}\\b`).exec(forwarding.said())?.[1]));
        if (found.some(Number.isNaN)) throw new Error(`kubectl port-forward says: ${forwarding.said()}`);
        return found;
      }, 20_000);
      return { ...forwarding, ports: local };
    },
    dispose() {
      for (const child of running) child.kill("SIGKILL");
    },
  };
  return kubectl;
}

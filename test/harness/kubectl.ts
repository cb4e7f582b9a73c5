import { execFileSync } from "node:child_process";
import type { TestCli } from "./cli.ts";
import { eventually } from "./eventually.ts";
import { startProgram, type ProgramOptions, type ProgramResult, type RunningProgram } from "./program.ts";

/** The kubectl that is found, as [major, minor]; undefined when there is none. */
function found(): readonly [number, number] | undefined {
  let text: string;
  try {
    text = execFileSync("kubectl", ["version", "--client", "-o", "json"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
  const { clientVersion } = JSON.parse(text) as { readonly clientVersion: { readonly gitVersion: string } };
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(clientVersion.gitVersion)!;
  return [Number(major), Number(minor)];
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

export interface Kubectl {
  readonly env: Readonly<Record<string, string>>;
  /** Runs it to its end, at most 60 s unless told otherwise. Its stdin is empty by default; `env` is over that of every command. */
  run(args: readonly string[], options?: ProgramOptions): Promise<ProgramResult>;
  /** Must succeed; its stdout. @throws with everything it said */
  ok(...args: readonly string[]): Promise<string>;
  /** Must fail with exit code 1; its stderr. */
  fails(...args: readonly string[]): Promise<string>;
  /** Starts one that has no end of its own. */
  start(args: readonly string[], options?: ProgramOptions): RunningProgram;
  /** `port-forward` to these ports of a Pod, ready to be used; the local ports in the same order. */
  forward(pod: string, ports: readonly number[], options?: ProgramOptions): Promise<RunningProgram & { readonly ports: readonly number[] }>;
  /** Ends what goes on. */
  dispose(): Promise<void>;
}

/** Stock kubectl in an environment, with some arguments before all others. */
export function kubectlIn(env: Readonly<Record<string, string>>, argsBefore: readonly string[] = []): Kubectl {
  const running = new Set<RunningProgram>();
  const kubectl: Kubectl = {
    env,
    start(args, { env: more, ...options } = {}) {
      const started = startProgram("kubectl", [...argsBefore, ...args], { env: { ...env, ...more }, ...options });
      running.add(started);
      const forget = () => void running.delete(started);
      started.ended.then(forget, forget);
      return started;
    },
    run: (args, { stdin = "", timeoutMs = 60_000, ...options } = {}) => kubectl.start(args, { stdin, timeoutMs, ...options }).ended,
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
      const forwarding = kubectl.start(["port-forward", `pod/${pod}`, ...ports.map((port) => `:${port}`), "--address=127.0.0.1"], options);
      const local = await eventually(() => {
        const found = ports.map((port) => Number(new RegExp(`Forwarding from 127\\.0\\.0\\.1:(\\d+) -> ${port}\\b`).exec(forwarding.said())?.[1]));
        if (found.some(Number.isNaN)) throw new Error(`kubectl port-forward says: ${forwarding.said()}`);
        return found;
      }, 20_000);
      return { ...forwarding, ports: local };
    },
    async dispose() {
      await Promise.all([...running].map((each) => each.end("SIGKILL")));
    },
  };
  return kubectl;
}

/** kubectl as the kubeconfig of that vendetta's home makes it. Starts the server when none runs. */
export async function createKubectl(cli: TestCli): Promise<Kubectl> {
  return kubectlIn({ ...cli.env, KUBECONFIG: (await cli.ok("kubeconfig")).trim() });
}

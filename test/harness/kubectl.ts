import { execFileSync, spawn } from "node:child_process";
import type { CliResult, TestCli } from "./cli.ts";

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

export interface Kubectl {
  readonly env: Readonly<Record<string, string>>;
  /** Runs it to its end. Kills it after `timeoutMs` (default 60,000), which shows as code null. */
  run(args: readonly string[], options?: { readonly stdin?: string; readonly timeoutMs?: number; readonly env?: Readonly<Record<string, string>> }): Promise<CliResult>;
  /** Must succeed; its stdout. @throws with everything it said */
  ok(...args: readonly string[]): Promise<string>;
  /** Must fail with exit code 1; its stderr. */
  fails(...args: readonly string[]): Promise<string>;
}

/** kubectl as the kubeconfig of that vendetta's home makes it. Starts the server when none runs. */
export async function createKubectl(cli: TestCli): Promise<Kubectl> {
  const kubeconfig = (await cli.ok("kubeconfig")).trim();
  const env = { ...cli.env, KUBECONFIG: kubeconfig };
  const kubectl: Kubectl = {
    env,
    run: (args, { stdin, timeoutMs = 60_000, env: more } = {}) =>
      new Promise((done, fail) => {
        const child = spawn("kubectl", [...args], { env: { ...env, ...more }, stdio: ["pipe", "pipe", "pipe"] });
        let stdout = "";
        let stderr = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
        child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
        child.stdin.on("error", () => {
          // It ended without reading what it was given: its exit code tells.
        });
        child.stdin.end(stdin ?? "");
        const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
        child.on("error", fail);
        child.on("close", (code) => {
          clearTimeout(timer);
          done({ code, stdout, stderr });
        });
      }),
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
  };
  return kubectl;
}

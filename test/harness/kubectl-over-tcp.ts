import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CliResult } from "./cli.ts";

const program = "/usr/bin/kubectl";
const answerMsMax = 30_000;

/** Why no kubectl can be run here; undefined when one can. With CI=true a lack is an error, not a skip. */
export function kubectlMissing(): string | undefined {
  if (existsSync(program)) return undefined;
  if (process.env["CI"] === "true") throw new Error(`${program} is not installed; in CI that is a failure`);
  return `${program} is not installed`;
}

/** Stock kubectl with a home of its own, before a server that listens on a unix socket: kubectl speaks TCP only. */
export interface KubectlOverTcp {
  run(args: readonly string[], options?: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> }): Promise<CliResult>;
  dispose(): Promise<void>;
}

export async function kubectlOverTcp(socketPath: string): Promise<KubectlOverTcp> {
  const home = mkdtempSync(join(tmpdir(), "vd-kubectl-"));
  const open = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(socketPath);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      // The test sees what kubectl says of a connection that broke.
      one.on("error", () => other.destroy()).on("close", () => open.delete(one));
      one.pipe(other);
    }
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const server = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return {
    async run(args, { stdin = "", env = {} } = {}) {
      const child = spawn(program, [`--server=${server}`, ...args], { timeout: answerMsMax, env: { PATH: process.env["PATH"], HOME: home, TMPDIR: home, KUBECONFIG: "/dev/null", VENDETTA_TEST_RUN: process.env["VENDETTA_TEST_RUN"], ...env } });
      const said = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (text: string) => (said[name] += text));
      child.stdin.on("error", () => {
        // It ended without reading what it was given: its exit code tells.
      });
      child.stdin.end(stdin);
      const [code] = (await once(child, "close")) as [number | null];
      return { code, ...said };
    },
    async dispose() {
      for (const socket of open) socket.destroy();
      proxy.close();
      await once(proxy, "close");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Node } from "../../src/api/node.ts";
import { isTrue } from "../../src/api/conditions.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { isPortOpen } from "../harness/ports.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { startSshd, type TestSshd } from "../harness/sshd.ts";
import { startTcpProxy, type TcpProxy } from "../harness/tcp-proxy.ts";
import { writeManifests } from "../e2e/stack.ts";

/** A machine as far as SSH goes: an sshd of its own with a home of its own, reached through a proxy that can be cut. */
export interface FarMachine {
  readonly name: string;
  readonly sshd: TestSshd;
  readonly proxy: TcpProxy;
}

/** One real server, and machines that it holds as Nodes. */
export interface NodesWorld {
  readonly cli: TestCli;
  readonly machines: readonly FarMachine[];
  /** Adds machines until there are so many. */
  addMachines(count: number): Promise<void>;
  /** Applies a Node, a Workspace of plain processes and two Services for each machine that has none yet, and waits until all are Ready. */
  addNodes(): Promise<void>;
  /** SSH Nodes by whether they are Ready. */
  ready(): Promise<number>;
  dispose(): Promise<void>;
}

const timeout = "120s";
/** Below those that the kernel gives to outgoing connections, of which there are many here; above the Nodes' own. */
const portsFrom = 27_000;
/** sshd's of machines come up so many at a time. */
const startedAtOnce = 5;

export async function createNodesWorld(env: Readonly<Record<string, string>> = {}): Promise<NodesWorld> {
  const directory = mkdtempSync(join(tmpdir(), "vd-nodes-"));
  const cli = createTestCli({ DOCKER_HOST: `unix://${directory}/no-docker.sock`, ...env });
  const machines: FarMachine[] = [];
  let applied = 0;
  let lastPort = portsFrom;
  const nextPort = async () => {
    while (await isPortOpen(++lastPort));
    return lastPort;
  };
  const nodes = async () => (await cli.json<{ items: Node[] }>("nodes")).items.filter(({ spec }) => spec.ssh !== undefined);
  await cli.ok("server", "start");

  const makeMachine = async (index: number): Promise<FarMachine> => {
    const home = join(directory, `home-${index}`);
    mkdirSync(home);
    const sshd = await startSshd({ home, options: ["MaxStartups=10:30:100"] });
    return { name: `far-${index}`, sshd, proxy: await startTcpProxy(sshd.port) };
  };

  return {
    cli,
    machines,
    async addMachines(count) {
      while (machines.length < count) {
        const first = machines.length;
        machines.push(...(await Promise.all(Array.from({ length: Math.min(startedAtOnce, count - first) }, (_, i) => makeMachine(first + i)))));
      }
    },
    async addNodes() {
      const manifests: object[] = [];
      for (const { name, sshd, proxy } of machines.slice(applied)) manifests.push(sshNode(name, sshd, { port: proxy.port }), ...workspaceOn(name, await nextPort()));
      applied = machines.length;
      await cli.ok("apply", "-f", writeManifests(cli.home, "nodes.yaml", manifests), "--wait", "--timeout", timeout);
    },
    ready: async () => (await nodes()).filter(({ status }) => isTrue(status?.conditions, "Ready")).length,
    async dispose() {
      try {
        if (applied > 0) await cli.ok("delete", "workspaces", "--all", "--timeout", timeout);
      } finally {
        await cli.dispose();
        await Promise.all(machines.map(async ({ sshd, proxy }) => {
          await proxy.close();
          await sshd.stop();
        }));
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}

/** A server that is checked by its port every five seconds, and a worker that nobody checks. */
function workspaceOn(nodeName: string, port: number): object[] {
  const service = (name: string, spec: object) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `${nodeName}-${name}` }, spec: { workspace: nodeName, ...spec } });
  return [
    { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: nodeName }, spec: { provider: "host", nodeName } },
    service("web", { command: ["busybox", "httpd", "-f", "-p", `127.0.0.1:${port}`], port }),
    service("worker", { command: ["sleep", "1000000"] }),
  ];
}

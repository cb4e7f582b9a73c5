// Test run: about 40 s.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { after, before, describe, it } from "node:test";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { lxcUnavailable } from "../harness/lxc.ts";
import { isPortOpen } from "../harness/ports.ts";
import { qemuUnavailable, tinyGuest } from "../harness/tiny-guest.ts";
import { httpd, writeManifests } from "./stack.ts";

const why = dockerUnavailable() ?? lxcUnavailable() ?? qemuUnavailable();
/** Those with a network of their own: a node port is chosen for each port inside. */
const isolated = ["docker", "lxc", "qemu"] as const;
const names = [...isolated, "host"] as const;
const hostPort = 18_471;

describe("node ports of four providers on one Node", { timeout: 300_000, skip: why }, () => {
  let cli: TestCli;
  let dockerd: TestDockerd;
  let file: string | undefined;
  const thieves: Server[] = [];

  before(async () => {
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    await eventually(async () => assert.equal((await cli.json<{ items: Node[] }>("nodes")).items[0]!.status?.providers?.filter(({ usable }) => usable).length, 4), 30_000);
    const { image, engine } = await tinyGuest();
    const specs = { docker: { image: "busybox:test" }, lxc: { image: "busybox", lxc: { privileged: true } }, qemu: { image, qemu: engine, resources: { memory: "128Mi" } }, host: {} };
    const manifests = names.flatMap((provider) => [
      { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: provider }, spec: { provider, ...specs[provider] } },
      { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `${provider}-web` }, spec: { workspace: provider, command: ["sh", "-c", httpd(provider).replaceAll("httpd -f", "busybox httpd -f")], port: provider === "host" ? hostPort : 8000, healthCheck: { http: { path: "/" } } } },
    ]);
    file = writeManifests(cli.home, "ports.yaml", manifests);
    const { code, stderr } = await cli.run(["apply", "-f", file, "--wait", "--timeout", "100s"], { timeoutMs: 120_000 });
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    for (const thief of thieves) thief.close();
    if (file !== undefined) await cli.run(["delete", "-f", file, "--timeout", "60s"], { timeoutMs: 80_000 });
    await cli?.dispose();
    await dockerd?.stop();
  });

  const service = (name: string) => cli.json<Service>("service", `${name}-web`);
  const portOf = async (name: string) => (await service(name)).status!.endpoints![0]!.nodePort;
  const answer = async (name: string) => (await fetch((await service(name)).status!.url!, { signal: AbortSignal.timeout(5000) })).text();
  const steal = async (port: number) => {
    const thief = createServer((socket) => socket.end()).listen({ host: "127.0.0.1", port });
    await once(thief, "listening");
    thieves.push(thief);
  };

  it("each is one service's, and get services -o wide shows it", async () => {
    const ports = await Promise.all(names.map(portOf));
    assert.equal(new Set(ports).size, names.length, ports.join());
    const wide = await cli.ok("get", "services", "-o", "wide");
    assert.match(wide, /^NAME .* PORTS /);
    for (const [i, name] of names.entries()) {
      assert.match(wide, new RegExp(`^${name}-web .* ${ports[i]} `, "m"));
      assert.equal(await answer(name), `${name} answers\n`);
    }
    assert.equal(ports[3], hostPort);
  });

  it("what a user should know of an instance is told", async () => {
    for (const how of ["describe", "explain-state"]) assert.match(await cli.ok(how, "workspace", "lxc"), /root inside is root of the node: spec\.lxc\.privileged says so/);
  });

  it("one that another program took while its Workspace was down is moved, which is told, and what was on the disk stays", async () => {
    const ports = new Map(await Promise.all(isolated.map(async (name) => [name, await portOf(name)] as const)));
    for (const name of isolated) await cli.ok("exec", name, "--", "sh", "-c", "echo mine >/own-disk && sync");
    for (const name of isolated) await cli.ok("workspace", "down", name);
    // What the server itself carries is free while it is not there.
    await cli.ok("server", "stop");
    for (const name of isolated) await steal(ports.get(name)!);
    await cli.ok("server", "start");
    for (const name of isolated) await cli.ok("workspace", "up", name);
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=90s");
    for (const name of isolated) {
      assert.notEqual(await portOf(name), ports.get(name), name);
      assert.equal(await answer(name), `${name} answers\n`);
      assert.equal(await cli.ok("exec", name, "--", "cat", "/own-disk"), "mine\n", name);
      assert.match(await cli.ok("events", "--for", `workspace/${name}`), new RegExp(`Warning +PortMoved .*port 8000 .*${ports.get(name)}`), name);
    }
    assert.deepEqual((await Promise.all(isolated.map((name) => cli.json<Workspace>("workspace", name)))).map(({ status }) => status!.ports![0]!.via), ["Forward", "Forward", "Engine"]);
  });

  it("processes that share the node's own are not started on one that somebody has, and say so", async () => {
    await cli.ok("workspace", "down", "host");
    await steal(hostPort);
    await cli.ok("workspace", "up", "host");
    await eventually(async () => assert.match(await cli.ok("explain-state", "service", "host-web"), new RegExp(`port ${hostPort} of Node "[^"]+" is in use by another process`)), 20_000, 300);
    thieves.pop()!.close();
    await cli.ok("wait", "service", "host-web", "--for=condition=Ready", "--timeout=60s");
  });

  it("are free again when their Workspaces are deleted", async () => {
    const ports = await Promise.all(names.map(portOf));
    await cli.ok("delete", "-f", file!, "--timeout", "60s");
    file = undefined;
    for (const port of ports) await eventually(async () => assert.equal(await isPortOpen(port), false, String(port)), 5000);
    for (const port of ports) await steal(port);
  });
});

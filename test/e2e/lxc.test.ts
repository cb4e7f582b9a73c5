// Test run: about 45 s.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { heldByContainers, lxcUnavailable } from "../harness/lxc.ts";
import { httpd, writeManifests } from "./stack.ts";

const service = (name: string, spec: object) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name }, spec: { workspace: "dev", ...spec } });
const manifests = [
  { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev" }, spec: { provider: "lxc", image: "busybox", resources: { memory: "128Mi" }, mounts: [{ path: "/data", volume: "data" }] } },
  service("api", { command: ["sh", "-c", `echo run >>/data/runs\n${httpd("api")}`], port: 8001, healthCheck: { http: { path: "/" } } }),
  service("worker", { command: ["sh", "-c", "while :; do echo working; sleep 1; done"], dependsOn: [{ name: "api" }] }),
];

describe("a workspace in a container of LXC", { skip: lxcUnavailable() ?? false, timeout: 240_000 }, () => {
  let one: TestCli;
  let other: TestCli;

  before(async () => {
    [one, other] = [createTestCli(), createTestCli()];
    for (const cli of [one, other]) await cli.ok("apply", "-f", writeManifests(cli.home, "dev.yaml", manifests), "--wait");
  });
  after(async () => {
    for (const cli of [one, other]) await cli?.dispose();
  });

  const instances = (cli: TestCli) => join(cli.home, "instances");
  const answer = async (cli: TestCli) => (await fetch((await cli.json<Service>("service", "api")).status!.url!, { signal: AbortSignal.timeout(5000) })).text();
  const runs = async (cli: TestCli) => (await cli.ok("exec", "dev", "--", "cat", "/data/runs")).trim().split("\n").length;
  const started = async (cli: TestCli) => (await cli.json<Workspace>("workspace", "dev")).status!;

  it("runs its services; two clusters on one machine each have a bridge and see only their own", async () => {
    for (const cli of [one, other]) {
      assert.equal(await answer(cli), "api answers\n");
      assert.match(await cli.ok("logs", "worker", "--tail", "1"), /working/);
      assert.equal(await cli.ok("get", "orphans"), "");
    }
    assert.match(await one.ok("get", "nodes"), /lxc/);
    assert.notEqual((await started(one)).address?.split(".", 3).join("."), (await started(other)).address?.split(".", 3).join("."));
  });

  it("outlives the server, and is taken up by the next one", async () => {
    const before = await started(one);
    process.kill(await one.serverPid(), "SIGKILL");
    await one.ok("server", "start");
    await one.ok("wait", "service", "api", "--for=condition=Ready", "--timeout=30s");
    assert.equal((await started(one)).startId, before.startId);
    assert.equal(await runs(one), 1);
    // The killed server's own ear ends with it.
    await eventually(() => assert.equal(readdirSync(join(instances(one), "lxc-node/watch")).length, 1), 10_000);
    assert.equal(await answer(one), "api answers\n");
  });

  it("is started again when its init is killed, which events tell", async () => {
    const before = await started(one);
    const { instanceId } = before;
    process.kill(Number(readFileSync(join(instances(one), "lxc", instanceId!, "init"), "utf8").split(" ")[0]), "SIGKILL");
    await eventually(async () => assert.notEqual((await started(one)).startId, before.startId), 30_000, 200);
    await one.ok("wait", "service", "worker", "--for=condition=Ready", "--timeout=60s");
    assert.equal(await answer(one), "api answers\n");
    assert.equal(await runs(one), 2);
    assert.match(await one.ok("events"), /InstanceEnded .*starting it again/);
    assert.equal((await started(other)).restarts, 0);
  });

  it("leaves nothing when it is deleted, and its neighbour alone", async () => {
    await one.ok("delete", "-f", join(one.home, "dev.yaml"));
    assert.equal(await answer(other), "api answers\n");
    await other.ok("delete", "-f", join(other.home, "dev.yaml"));
    for (const cli of [one, other]) {
      assert.deepEqual(heldByContainers(instances(cli)), []);
      for (const folder of ["lxc", "lxc-work"]) assert.deepEqual(readdirSync(join(instances(cli), folder)), []);
      assert.equal(await cli.ok("get", "orphans"), "");
    }
    assert.equal(execFileSync("sh", ["-c", "iptables -t nat -S 2>/dev/null | grep -c MASQUERADE || true"], { encoding: "utf8" }).trim(), "0");
  });
});

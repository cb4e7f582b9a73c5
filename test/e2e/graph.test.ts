import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Event } from "../../src/api/event.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { dockerApi, type DockerApi } from "../harness/docker-api.ts";
import { eventually } from "../harness/eventually.ts";
import { isPortOpen } from "../harness/ports.ts";
import { conditionOf, stackManifests, writeManifests } from "./stack.ts";

const names = ["stack-db", "stack-api", "stack-web", "stack-worker"];

describe("a graph of services on real Docker", { skip: dockerUnavailable() ?? false }, () => {
  let dockerd: TestDockerd;
  let docker: DockerApi;
  let cli: TestCli;
  let file: string;
  let stopsDir: string;

  before(async () => {
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    docker = dockerApi(dockerd.socketPath);
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    // Outside of the container, which is gone right after its last service.
    stopsDir = join(cli.home, "stops");
    mkdirSync(stopsDir);
    file = writeManifests(cli.home, "stack.yaml", stackManifests({ stopsDir }));
  });
  after(async () => {
    await cli?.dispose();
    await dockerd?.stop();
  });

  const services = async () => {
    const { items } = await cli.json<{ items: Service[] }>("services");
    return new Map(items.map((each) => [each.metadata.name, each]));
  };
  const workspace = () => cli.json<Workspace>("workspace", "stack");
  const ours = () => docker.containers({ label: ["vendetta.dev/cluster"] });

  it("starts each service only when what it depends on is healthy", async () => {
    await cli.ok("apply", "-f", file, "--wait", "--timeout", "60s");
    const all = await services();
    const readyAt = (name: string) => Date.parse(conditionOf(all.get(name)!, "Ready").lastTransitionTime);
    const startedAt = (name: string) => Date.parse(all.get(name)!.status!.startedAt!);
    for (const name of names) assert.equal(conditionOf(all.get(name)!, "Ready").status, "True", name);
    assert.ok(startedAt("stack-api") >= readyAt("stack-db"), "api waited for db");
    assert.ok(startedAt("stack-web") >= readyAt("stack-api"), "web waited for api");
    assert.ok(startedAt("stack-worker") >= readyAt("stack-api"), "worker waited for api");
    assert.equal((await ours()).length, 1);
  });

  it("answers on the printed URLs, and tells services of each other", async () => {
    const all = await services();
    for (const name of ["db", "api", "web"]) {
      const { url } = all.get(`stack-${name}`)!.status!;
      assert.equal((await (await fetch(url!)).text()).trim(), `${name} answers`);
    }
    const [container] = await ours();
    const environ = await docker.exec(container!.Id, ["sh", "-c", `tr '\\0' '\\n' < /proc/${all.get("stack-web")!.status!.pid}/environ`]);
    for (const line of ["VENDETTA_SERVICE_STACK_API_URL=http://127.0.0.1:8002", "vendetta_SERVICE_STACK_API_URL=http://127.0.0.1:8002", "VENDETTA_SERVICE_STACK_API_HOST=127.0.0.1", "VENDETTA_SERVICE_STACK_API_PORT=8002", "PORT=8003"]) {
      assert.ok(environ.split("\n").includes(line), `${line} is in the environment:\n${environ}`);
    }
  });

  it("changes nothing when the same is applied again (INV-10)", async () => {
    const before = await workspace();
    const pids = (await docker.events(async () => {
      const said = await cli.ok("apply", "-f", file, "--wait");
      assert.deepEqual(said.trim().split("\n").filter((line) => !line.endsWith("unchanged")), []);
      // Two rounds of the engine watch and of the slowest health check.
      await new Promise((resolve) => setTimeout(resolve, 11_000));
    })).map((event) => `${event.Type} ${event.Action}`);
    assert.deepEqual(pids, []);
    assert.equal((await workspace()).metadata.resourceVersion, before.metadata.resourceVersion);
  });

  it("brings a removed container back with its services, and tells the story", async () => {
    const old = await workspace();
    await docker.remove((await ours())[0]!.Id);
    await eventually(async () => {
      const now = await workspace();
      assert.notEqual(now.status?.startId, old.status?.startId);
      assert.equal(now.status?.phase, "Running");
    }, 30_000);
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=60s");
    const now = await workspace();
    assert.equal(now.status?.restarts, 1);
    assert.deepEqual(now.status?.ports, old.status?.ports, "ports stay");
    assert.equal((await ours()).length, 1);
    await eventually(async () => {
      const { items } = await cli.json<{ items: Event[] }>("events");
      assert.ok(items.some((event) => event.reason === "InstanceLost" && event.involvedObject.name === "stack"));
    }, 5_000);
  });

  it("starts a killed service again, and says how it ended", async (t) => {
    const before = (await services()).get("stack-web")!;
    const [container] = await ours();
    const killedAt = performance.now();
    await docker.exec(container!.Id, ["kill", "-9", String(before.status!.pid)]);
    const after = await eventually(async () => {
      const now = (await services()).get("stack-web")!;
      assert.notEqual(now.status?.pid, before.status?.pid);
      assert.equal(now.status?.restarts, (before.status?.restarts ?? 0) + 1);
      return now;
    }, 10_000, 20);
    t.diagnostic(`restart seen through the command line after ${Math.round(performance.now() - killedAt)} ms`);
    assert.equal(after.status?.lastExit?.signal, "SIGKILL");
    assert.equal(after.status?.lastExit?.reason, "Signaled");
    await cli.ok("wait", "service", "stack-web", "--for=condition=Ready", "--timeout=30s");
  });

  it("follows a log over a restart, and says how the run ended", async () => {
    const log = cli.start(["logs", "stack-web", "-f"]);
    try {
      await eventually(() => assert.match(log.said(), /started\n$/), 10_000);
      const { status } = (await services()).get("stack-web")!;
      await docker.exec((await ours())[0]!.Id, ["kill", "-9", String(status!.pid)]);
      await eventually(() => assert.match(log.said(), /--- run \d+ was ended by SIGKILL; run \d+ follows ---\nstarted\n$/), 10_000);
      assert.equal(log.child.exitCode, null, "it goes on");
    } finally {
      await log.end("SIGINT");
    }
    await cli.ok("wait", "service", "stack-web", "--for=condition=Ready", "--timeout=30s");
  });

  it("restarts one service on request, and only that", async () => {
    const before = await services();
    assert.equal(await cli.ok("restart", "stack-worker", "--wait"), "service.vendetta.dev/stack-worker restarted\n");
    const after = await services();
    for (const name of names) assert.equal(after.get(name)!.status!.pid === before.get(name)!.status!.pid, name !== "stack-worker", name);
    assert.match(await cli.ok("logs", "stack-worker", "--previous"), /working/);
  });

  it("lets a paused container go on: the same processes", async () => {
    const before = await services();
    await docker.pause((await ours())[0]!.Id);
    await eventually(async () => assert.match(await cli.ok("events", "--for", "workspace/stack"), /Paused/), 20_000, 200);
    await cli.ok("wait", "workspace", "stack", "--for=condition=Ready", "--timeout=30s");
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=30s");
    const after = await services();
    for (const name of names) assert.equal(after.get(name)!.status!.pid, before.get(name)!.status!.pid, name);
  });

  it("does not call ready what never stays up, and does not let it be moved to another workspace", async () => {
    const spec = { workspace: "stack", command: ["sh", "-c", "exit 3"] };
    const of = (name: string, more: object) => writeManifests(cli.home, `${name}.yaml`, [{ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name }, spec: { ...spec, ...more } }]);
    const crashing = await cli.run(["apply", "-f", of("crashing", {}), "--wait", "--timeout=4s"]);
    assert.equal(crashing.code, 1);
    assert.match(crashing.stderr, /service\.vendetta\.dev\/crashing: CrashLoopBackOff: ended with exit code 3/);
    assert.doesNotMatch(await cli.ok("events", "--for", "service/crashing"), / Ready /);
    const once = await cli.run(["apply", "-f", of("once", { restartPolicy: "Never" }), "--wait", "--timeout=30s"]);
    assert.match(once.stderr, /^error: 1 of 1 not ready:\n {2}service\.vendetta\.dev\/once: Failed: ended with exit code 3$/m);
    const moved = await cli.run(["apply", "-f", of("once", { workspace: "elsewhere" })]);
    assert.match(moved.stderr, /spec\.workspace: cannot be changed from "stack" to "elsewhere"/);
    await cli.ok("delete", "service", "crashing", "once");
  });

  it("stops and starts a workspace, keeping its disk", async () => {
    const [container] = await ours();
    await docker.exec(container!.Id, ["sh", "-c", "echo kept > /root-file"]);
    await cli.ok("workspace", "down", "stack");
    assert.doesNotMatch(await cli.ok("events"), /SupervisorUnreachable/);
    assert.equal((await workspace()).status?.phase, "Stopped");
    assert.equal((await services()).get("stack-web")!.status?.phase, "Stopped");
    await cli.ok("workspace", "up", "stack");
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=60s");
    const [again] = await ours();
    assert.equal(again!.Id, container!.Id);
    assert.equal((await docker.exec(again!.Id, ["cat", "/root-file"])).trim(), "kept");
  });

  it("deletes in reverse order, gracefully, and leaves nothing", async () => {
    const all = await services();
    const ports = names.flatMap((name) => all.get(name)?.status?.endpoints?.map((each) => each.nodePort) ?? []);
    assert.equal(ports.length, 3);
    rmSync(join(stopsDir, "order"), { force: true });
    await cli.ok("delete", "-f", file);
    assert.deepEqual(readFileSync(join(stopsDir, "order"), "utf8").trim().split("\n"), ["web", "api", "db"]);
    assert.deepEqual(await ours(), []);
    assert.deepEqual(await docker.volumes({ label: ["vendetta.dev/cluster"] }), []);
    for (const port of ports) assert.equal(await isPortOpen(port), false, `port ${port} is free`);
    assert.deepEqual((await cli.json<{ items: unknown[] }>("services,workspaces")).items, []);
  });
});

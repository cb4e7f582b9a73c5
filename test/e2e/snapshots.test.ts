import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import Docker from "dockerode";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { writeManifests } from "./stack.ts";

const apiVersion = "vendetta.dev/v1alpha1";
const manifests = [
  { apiVersion, kind: "Workspace", metadata: { name: "dev" }, spec: { provider: "docker", image: "busybox:test", mounts: [{ path: "/data", volume: "data" }], docker: { command: ["sh", "-c", "echo it begins; exec sleep 100000"] } } },
  { apiVersion, kind: "Service", metadata: { name: "web" }, spec: { workspace: "dev", command: ["sh", "-c", 'mkdir -p /www; exec httpd -f -p "$PORT" -h /www'], port: 80 } },
  { apiVersion, kind: "Workspace", metadata: { name: "plain" }, spec: { provider: "host" } },
];

describe("snapshots and consoles, on a Docker engine", { skip: dockerUnavailable() ?? false, timeout: 180_000 }, () => {
  let dockerd: TestDockerd;
  let docker: Docker;
  let cli: TestCli;
  let file: string;

  before(async () => {
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    docker = new Docker({ socketPath: dockerd.socketPath });
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    file = writeManifests(cli.home, "dev.yaml", manifests);
    await cli.ok("apply", "-f", file, "--wait");
  });
  after(async () => {
    await cli?.run(["delete", "services,workspaces", "--all"]);
    await cli?.dispose();
    await dockerd?.stop();
  });

  const write = (text: string) => cli.ok("exec", "dev", "--", "sh", "-c", `mkdir -p /www && echo ${text} | tee /www/index.html > /data/file`);
  const web = () => cli.json<Service>("service", "web");
  const page = async () => (await (await fetch((await web()).status!.url!, { signal: AbortSignal.timeout(2000) })).text()).trim();
  const images = () => docker.listImages({ all: true, filters: { label: ["vendetta.dev/snapshot-of"] } });

  it("puts the disk back, with services, port and volume as they were", async () => {
    const { url } = (await web()).status!;
    await write("good");
    assert.match(await cli.ok("workspace", "snapshot", "dev", "before"), /snapshot before taken/);
    assert.equal((await web()).status!.restarts, 0, "who works in it does not notice");
    await write("bad");
    assert.equal(await page(), "bad");
    await cli.ok("workspace", "restore", "dev", "before", "--yes");
    await cli.ok("wait", "service", "web", "--for=condition=Ready", "--timeout=60s");
    assert.deepEqual([await page(), (await web()).status!.url], ["good", url]);
    assert.equal(await cli.ok("exec", "dev", "--", "cat", "/data/file"), "bad\n", "a volume is no part of it");
    assert.match(await cli.ok("workspace", "snapshots", "dev"), /^before +\S+ +put back/m);
    const { status } = await cli.json<Workspace>("workspace", "dev");
    assert.deepEqual([status!.restored!.request, status!.restarts], [1, 0]);
    assert.deepEqual((await cli.ok("apply", "-f", file)).trim().split("\n").filter((line) => !line.endsWith(" unchanged")), [], "what is wished by other words stays");
    assert.equal(await cli.ok("get", "orphans"), "");
  });

  it("a container that somebody makes of a snapshot is somebody else's (INV-4)", async () => {
    const [image] = await images();
    const stranger = await docker.createContainer({ name: "stranger", Image: image!.RepoTags![0]!, Cmd: ["sleep", "1000"] });
    const cluster = /^vendetta-([^-]+)-/.exec((await cli.json<Workspace>("workspace", "dev")).status!.instanceId!)![1]!;
    const ours = await docker.listContainers({ all: true, filters: { label: [`vendetta.dev/cluster=${cluster}`] } });
    assert.ok(ours.length === 1 && ours[0]!.Id !== stranger.id);
    await stranger.remove();
  });

  it("shows what the main command said", async () => {
    assert.match(await cli.ok("logs", "--console", "dev"), /^it begins\n/);
    const refused = await cli.run(["logs", "--console", "plain"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /provider host keeps none/);
  });

  it("is refused with a reason where the engine keeps none", async () => {
    const refused = await cli.run(["workspace", "snapshot", "plain"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /provider host keeps none/);
    assert.match(await cli.ok("node", "status", (await cli.json<Workspace>("workspace", "plain")).status!.nodeName!), /^docker +yes +\S+ +isolate \(container\), limit, snapshot, console, publish/m);
  });

  it("leaves nothing when it is deleted", async () => {
    await cli.ok("workspace", "snapshot", "dev", "second");
    await cli.ok("workspace", "snapshot", "dev", "before", "--delete");
    assert.deepEqual((await cli.json<Workspace>("workspace", "dev")).status!.snapshots!.map(({ name }) => name), ["second"]);
    await cli.ok("delete", "-f", file);
    await eventually(async () => assert.deepEqual(await images(), []), 10_000, 200);
  });
});

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Service } from "../../src/api/service.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { dockerApi, type DockerApi } from "../harness/docker-api.ts";
import { stackManifests, writeManifests } from "./stack.ts";

const rounds = 50;

describe(`the server is killed ${rounds} times while manifests are applied`, { skip: dockerUnavailable() ?? false }, () => {
  let dockerd: TestDockerd;
  let docker: DockerApi;
  let cli: TestCli;

  before(async () => {
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    docker = dockerApi(dockerd.socketPath);
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
  });
  after(async () => {
    await cli?.dispose();
    await dockerd?.stop();
  });

  const services = async () => new Map((await cli.json<{ items: Service[] }>("services")).items.map((each) => [each.metadata.name, each]));
  const settled = async () => {
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=60s");
    return new Map([...(await services())].filter(([name]) => name.startsWith("stack-")).map(([name, { status }]) => [name, status?.pid]));
  };

  it("and loses nothing that was acknowledged, doubles nothing, restarts nothing", async (t) => {
    const seed = Number(process.env["VENDETTA_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    await cli.ok("apply", "-f", writeManifests(cli.home, "stack.yaml", stackManifests()), "--wait", "--timeout", "60s");
    const pids = await settled();
    const [container] = await docker.containers({ label: ["vendetta.dev/cluster"] });

    const acknowledged = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      const pid = await cli.serverPid();
      // Small writes in a row, each its own command; the axe falls at some moment among them.
      const applying = (async () => {
        for (let i = 0; i < 3; i++) {
          const name = `note-${round}-${i}`;
          const manifest = { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name }, spec: { workspace: "nowhere", command: ["true"] } };
          const { code, stdout } = await cli.run(["apply", "-f", "-"], { stdin: JSON.stringify(manifest), env: { VENDETTA_NO_AUTOSTART: "1" } });
          if (code === 0 && stdout.includes("created")) acknowledged.add(name);
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, random.next() * 900));
      process.kill(pid, "SIGKILL");
      await applying;
      await cli.ok("server", "start");
    }

    const all = await services();
    assert.deepEqual([...acknowledged].filter((name) => !all.has(name)), [], "acknowledged writes that are gone");
    t.diagnostic(`${acknowledged.size} writes were acknowledged`);
    assert.ok(acknowledged.size > rounds / 2, `only ${acknowledged.size} writes were acknowledged: the test does not test`);
    for (const name of all.keys()) if (name.startsWith("note-")) acknowledged.delete(name);
    assert.deepEqual(await docker.containers({ label: ["vendetta.dev/cluster"] }).then((list) => list.map((each) => each.Id)), [container!.Id]);
    await cli.ok("delete", "services", ...[...all.keys()].filter((name) => name.startsWith("note-")));
    assert.deepEqual(await settled(), pids, "the same processes run");
    const processes = await docker.exec(container!.Id, ["sh", "-c", "ps -o args | grep -c '^httpd -f'"]);
    assert.equal(processes.trim(), "3", "no service runs twice");
    const controls = await docker.exec(container!.Id, ["sh", "-c", "ps -o args | grep -c '[v]endetta-control' || true"]);
    t.diagnostic(`control shells left: ${controls.trim()}`);
    assert.ok(Number(controls) <= 3, `control shells pile up: ${controls}`);
  });
});

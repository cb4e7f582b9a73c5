// Test run: about 110 s.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ObjectInput } from "../../src/api/meta.ts";
import type { Service } from "../../src/api/service.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { createHttpStore } from "../../src/client/http-store.ts";
import { systemClock } from "../../src/base/system.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { dockerApi, type DockerApi } from "../harness/docker-api.ts";
import { stackManifests, writeManifests } from "./stack.ts";

const rounds = 50;
/** Writes of one client in one round. */
const writesMax = 40;

const note = (name: string) =>
  ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace: "default", labels: { kind: "note" } }, spec: { workspace: "nowhere", command: ["true"] } }) as unknown as ObjectInput<Service>;

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
      const { pid, socketPath } = JSON.parse(readFileSync(join(cli.home, "server.json"), "utf8")) as { pid: number; socketPath: string };
      // Three clients write as fast as they are answered, until the axe falls at some moment among their writes: in four rounds
      // of five after the first answer, which a busy machine may be slow to give.
      const store = createHttpStore({ socketPath, clock: systemClock, userAgent: "crash-test" });
      let answered = () => {};
      const firstAnswer = new Promise<void>((resolve) => (answered = resolve));
      const client = async (number: number) => {
        for (let i = 0; i < writesMax; i++) {
          const name = `note-${round}-${number}-${i}`;
          try {
            await store.create("Service", note(name));
            acknowledged.add(name);
            answered();
          } catch (error) {
            // Cut off: not acknowledged, so it may be there or not.
            assert.ok(error instanceof StatusError && error.reason === "ServiceUnavailable", String(error));
            return;
          }
        }
      };
      const applying = Promise.all([client(0), client(1), client(2)]);
      if (random.next() < 0.8) await Promise.race([firstAnswer, applying]);
      await new Promise((resolve) => setTimeout(resolve, 5 + random.next() * 150));
      process.kill(pid, "SIGKILL");
      await applying;
      await store.close();
      await cli.ok("server", "start");
    }

    const all = await services();
    assert.deepEqual([...acknowledged].filter((name) => !all.has(name)), [], "acknowledged writes that are gone");
    t.diagnostic(`${acknowledged.size} writes were acknowledged`);
    assert.ok(acknowledged.size > rounds / 2, `only ${acknowledged.size} writes were acknowledged: the test does not test`);
    assert.deepEqual(await docker.containers({ label: ["vendetta.dev/cluster"] }).then((list) => list.map((each) => each.Id)), [container!.Id]);
    await cli.ok("delete", "services", "-l", "kind=note");
    assert.deepEqual(await settled(), pids, "the same processes run");
    const processes = await docker.exec(container!.Id, ["sh", "-c", "ps -o args | grep -c '^httpd -f'"]);
    assert.equal(processes.trim(), "3", "no service runs twice");
    const controls = await docker.exec(container!.Id, ["sh", "-c", "ps -o args | grep -c '[v]endetta-control' || true"]);
    t.diagnostic(`control shells left: ${controls.trim()}`);
    assert.ok(Number(controls) <= 3, `control shells pile up: ${controls}`);
  });
});

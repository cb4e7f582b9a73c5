import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import Docker from "dockerode";
import type { Event } from "../../src/api/event.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { registryUnavailable, startRegistry, type TestRegistry } from "../harness/registry.ts";
import { writeManifests } from "./stack.ts";

describe("images from a registry", { skip: dockerUnavailable() ?? registryUnavailable() ?? false }, () => {
  let dockerd: TestDockerd;
  let registry: TestRegistry;
  let cli: TestCli;
  let image: string;

  before(async () => {
    dockerd = await startDockerd();
    registry = await startRegistry();
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    await dockerd.importBusybox("busybox:test");
    image = `${registry.host}/team/box:1`;
    const docker = new Docker({ socketPath: dockerd.socketPath });
    await docker.getImage("busybox:test").tag({ repo: `${registry.host}/team/box`, tag: "1" });
    const pushing = await docker.getImage(image).push({ authconfig: {} });
    await new Promise<void>((resolve, reject) => docker.modem.followProgress(pushing, (error) => (error ? reject(error) : resolve())));
    for (const name of [image, "busybox:test"]) await docker.getImage(name).remove();
  });
  after(async () => {
    await cli?.dispose();
    await registry?.stop();
    await dockerd?.stop();
  });

  const apply = (name: string, of: string) => cli.ok("apply", "-f", writeManifests(cli.home, `${name}.yaml`, [{ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name }, spec: { provider: "docker", image: of } }]));
  const ready = async (name: string) => (await cli.json<Workspace>("workspace", name)).status?.conditions?.find((each) => each.type === "Ready");
  const stories = async (name: string) => {
    const { items } = await cli.json<{ items: Event[] }>("events", "--field-selector", `involvedObject.name=${name}`);
    return new Map(items.map((each) => [each.reason, each.message ?? ""]));
  };

  it("are fetched, and events tell of it", async () => {
    await apply("box", image);
    await cli.ok("wait", "workspace", "box", "--for=condition=Ready", "--timeout=60s");
    const told = await stories("box");
    assert.equal(told.get("Pulling"), `pulling ${image}`);
    assert.match(told.get("Pulled") ?? "", /^pulled .*\/team\/box:1 in \d+\.\d s/);
  });

  it("that do not exist: says so, and what to check", async () => {
    await apply("nowhere", `${registry.host}/team/box:nope`);
    await eventually(async () => {
      const condition = await ready("nowhere");
      assert.equal(condition?.reason, "ImageNotFound");
      assert.match(condition?.message ?? "", /team\/box:nope cannot be had: .*check its name/);
    }, 20_000);
    await cli.ok("delete", "workspace", "nowhere");
  });

  it("of a registry that is down: says so, and fetches them when it is back", async () => {
    await cli.ok("delete", "workspace", "box");
    await new Docker({ socketPath: dockerd.socketPath }).getImage(image).remove();
    await registry.halt();
    await apply("later", image);
    await eventually(async () => {
      const condition = await ready("later");
      assert.equal(condition?.reason, "ImagePullFailed");
      assert.match(condition?.message ?? "", /could not be pulled: .*is the registry reachable from the node\?/);
    }, 20_000);
    await registry.resume();
    await cli.ok("wait", "workspace", "later", "--for=condition=Ready", "--timeout=60s");
    await cli.ok("delete", "workspace", "later");
  });
});

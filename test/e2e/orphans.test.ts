// Test run: about 40 s.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import Docker from "dockerode";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { writeManifests } from "./stack.ts";

describe("containers that nobody owns", { skip: dockerUnavailable() ?? false, timeout: 120_000 }, () => {
  let dockerd: TestDockerd;
  let docker: Docker;
  let cli: TestCli;

  before(async () => {
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    docker = new Docker({ socketPath: dockerd.socketPath });
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    await cli.ok("apply", "-f", writeManifests(cli.home, "dev.yaml", [{ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev" }, spec: { provider: "docker", image: "busybox:test" } }]), "--wait");
  });
  after(async () => {
    await cli?.dispose();
    await dockerd?.stop();
  });

  const make = async (name: string, owner: Record<string, string>) => {
    const labels = Object.fromEntries(Object.entries(owner).map(([key, value]) => [`vendetta.dev/${key}`, value]));
    const container = await docker.createContainer({ name, Image: "busybox:test", Cmd: ["sleep", "100000"], Labels: labels });
    await container.start();
    return container;
  };
  const runs = async (container: Docker.Container) => (await container.inspect()).State.Running;

  it("are shown, and removed after a grace; what is not ours is never touched (INV-4)", async () => {
    assert.equal(await cli.ok("get", "orphans"), "");
    const workspace = await cli.json<Workspace>("workspace", "dev");
    const cluster = /^vendetta-([^-]+)-/.exec(workspace.status!.instanceId!)![1]!;
    const uid = "11111111-2222-3333-4444-555555555555";
    const lost = { cluster, uid, namespace: "default", name: "lost" };
    await make(`vendetta-${cluster}-${uid}`, lost);
    const stranger = await make("stranger", {});
    const sibling = await make("vendetta-elsewhere-1", { ...lost, cluster: "elsewhere" });

    const shown = await eventually(async () => {
      const text = await cli.ok("get", "orphans");
      assert.match(text, /lost/);
      return text;
    }, 20_000, 500);
    assert.match(shown, new RegExp(`^INSTANCE +PROVIDER +NODE +WORKSPACE +SEEN FOR\nvendetta-${cluster}-${uid} +docker +\\S+ +default/lost +\\d+s\n$`));
    await eventually(async () => assert.equal(await cli.ok("get", "orphans"), ""), 60_000, 1000);
    await assert.rejects(docker.getContainer(`vendetta-${cluster}-${uid}`).inspect(), { statusCode: 404 });
    assert.match(await cli.ok("events"), /OrphanRemoved .*default\/lost.*no longer exists/);
    assert.ok((await runs(stranger)) && (await runs(sibling)));
    assert.ok(await runs(docker.getContainer(workspace.status!.instanceId!)), "the owned one is left alone");
  });
});

// Test run: about 45 s.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import Docker from "dockerode";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createDockerProvider } from "../../../src/providers/docker/docker-provider.ts";
import type { Provider, ProviderError } from "../../../src/providers/provider.ts";
import { createLocalTransport } from "../../../src/transports/local.ts";
import { dockerUnavailable, startDockerd } from "../../harness/docker.ts";
import { dockerSkips } from "./docker-skips.ts";
import { providerConformance } from "./suite.ts";

const why = dockerUnavailable();

if (why !== undefined) it("docker", { skip: why }, () => {});
else {
  providerConformance("docker", async () => {
    const dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    const transport = createLocalTransport({ clock });
    const docker = new Docker({ socketPath: dockerd.socketPath });
    const again = () => createDockerProvider({ transport, clock, socketPath: dockerd.socketPath });
    return {
      provider: again(),
      again,
      mainCommand: (script) => ({ command: ["sh", "-c", script] }),
      behind: { pause: (id) => docker.getContainer(id).pause(), end: (id) => docker.getContainer(id).kill() },
      unreachable: createDockerProvider({ transport, clock, socketPath: `${dockerd.socketPath}.no` }),
      image: "busybox:test",
      async close() {
        await transport.close();
        await dockerd.stop();
      },
    };
  }, { skip: dockerSkips });

  describe("docker, and what others do to containers", () => {
    const small = { generation: 1, specHash: "h", hostname: "dev", image: "busybox:test", imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: {} } as const;
    const owner = { cluster: "c", uid: "u", namespace: "default", name: "dev" };
    const withDocker = async (use: (parts: { readonly provider: Provider; readonly docker: Docker; readonly signal: AbortSignal }) => Promise<void>): Promise<void> => {
      const dockerd = await startDockerd();
      const transport = createLocalTransport({ clock });
      try {
        await dockerd.importBusybox("busybox:test");
        const { socketPath } = dockerd;
        await use({ provider: createDockerProvider({ transport, clock, socketPath }), docker: new Docker({ socketPath }), signal: AbortSignal.timeout(20_000) });
      } finally {
        await transport.close();
        await dockerd.stop();
      }
    };
    it("tells a paused container, and starting it lets it go on; removes a renamed one for its owner only", () =>
      withDocker(async ({ provider, docker, signal }) => {
        await provider.create({ ...small, owner }, () => {}, signal);
        await provider.start("vendetta-c-u", signal);
        const running = await provider.inspect("vendetta-c-u", signal);
        await docker.getContainer("vendetta-c-u").pause();
        const paused = await provider.inspect("vendetta-c-u", signal);
        assert.deepEqual([paused?.state, paused?.startId], ["paused", running?.startId]);
        await provider.start("vendetta-c-u", signal);
        assert.deepEqual(await provider.inspect("vendetta-c-u", signal), running, "the same start of it");

        await docker.getContainer("vendetta-c-u").rename({ name: "elsewhere" });
        await provider.destroy("elsewhere", { volumes: false }, signal);
        await provider.destroy("elsewhere", { volumes: false, owner: { ...owner, uid: "another" } }, signal);
        assert.deepEqual((await provider.list("c", signal)).map((each) => each.id), ["elsewhere"]);
        await provider.destroy("elsewhere", { volumes: false, owner }, signal);
        assert.deepEqual(await provider.list("c", signal), []);
      }));
    it("holds a container to its disk where the engine can, and makes it without where it cannot", () =>
      withDocker(async ({ provider, docker, signal }) => {
        await provider.create({ ...small, owner, resources: { ...small.resources, diskBytes: 2 ** 30 } }, () => {}, signal);
        const { HostConfig } = await docker.getContainer("vendetta-c-u").inspect();
        const { Driver, DriverStatus } = (await docker.info()) as { Driver: string; DriverStatus: readonly (readonly [string, string])[] };
        const canBound = ["btrfs", "zfs", "devicemapper"].includes(Driver) || DriverStatus.some(([, value]) => value === "xfs");
        // On xfs it depends on how the file system is mounted.
        if (!canBound) assert.equal(HostConfig.StorageOpt ?? undefined, undefined);
        assert.equal((await provider.inspect("vendetta-c-u", signal))?.state, "created");
        await provider.destroy("vendetta-c-u", { volumes: true }, signal);
      }));
    it("leaves a stranger's container of our name alone (INV-4)", () =>
      withDocker(async ({ provider, docker, signal }) => {
        const stranger = await docker.createContainer({ name: "vendetta-c-u", Image: "busybox:test", Cmd: ["sleep", "1000"] });
        await assert.rejects(provider.create({ ...small, owner }, () => {}, signal), (error: ProviderError) => error.reason === "NameTaken");
        await provider.destroy("vendetta-c-u", { volumes: true }, signal);
        assert.equal(await provider.inspect("vendetta-c-u", signal), undefined, "it is invisible");
        assert.equal((await stranger.inspect()).State.Status, "created");
      }));
  });
}

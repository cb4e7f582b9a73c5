import assert from "node:assert/strict";
import { describe, it } from "node:test";
import Docker from "dockerode";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createDockerProvider } from "../../../src/providers/docker/docker-provider.ts";
import type { ProviderError } from "../../../src/providers/provider.ts";
import { createLocalTransport } from "../../../src/transports/local.ts";
import { dockerUnavailable, startDockerd } from "../../harness/docker.ts";
import { providerConformance } from "./suite.ts";

const why = dockerUnavailable();

if (why !== undefined) it("docker", { skip: why }, () => {});
else {
  providerConformance("docker", async () => {
    const dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    const transport = createLocalTransport({ clock });
    return {
      provider: createDockerProvider({ transport, clock, socketPath: dockerd.socketPath }),
      unreachable: createDockerProvider({ transport, clock, socketPath: `${dockerd.socketPath}.no` }),
      image: "busybox:test",
      async close() {
        await transport.close();
        await dockerd.stop();
      },
    };
  });

  describe("docker and what is not ours", () => {
    it("leaves a stranger's container of our name alone (INV-4)", async () => {
      const dockerd = await startDockerd();
      const transport = createLocalTransport({ clock });
      try {
        await dockerd.importBusybox("busybox:test");
        const provider = createDockerProvider({ transport, clock, socketPath: dockerd.socketPath });
        const docker = new Docker({ socketPath: dockerd.socketPath });
        const owner = { cluster: "c", uid: "u", namespace: "default", name: "dev" };
        const stranger = await docker.createContainer({ name: "vendetta-c-u", Image: "busybox:test", Cmd: ["sleep", "1000"] });
        const spec = { owner, generation: 1, specHash: "h", hostname: "dev", image: "busybox:test", imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: {} } as const;
        const signal = AbortSignal.timeout(20_000);
        await assert.rejects(provider.create(spec, () => {}, signal), (error: ProviderError) => error.reason === "NameTaken");
        await provider.destroy("vendetta-c-u", { volumes: true }, signal);
        assert.equal(await provider.inspect("vendetta-c-u", signal), undefined, "it is invisible");
        assert.equal((await stranger.inspect()).State.Status, "created");
      } finally {
        await transport.close();
        await dockerd.stop();
      }
    });
  });
}

import { it } from "node:test";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createDockerProvider } from "../../../src/providers/docker/docker-provider.ts";
import { dockerUnavailable, startDockerd } from "../../harness/docker.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd } from "../../harness/sshd.ts";
import { providerConformance } from "./suite.ts";

const why = sshdUnavailable() ?? dockerUnavailable();

if (why !== undefined) it("docker over SSH", { skip: why }, () => {});
else
  providerConformance("docker over SSH", async () => {
    const dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    const sshd = await startSshd();
    const transport = sshTo(sshd);
    return {
      provider: createDockerProvider({ transport, clock, socketPath: dockerd.socketPath }),
      unreachable: createDockerProvider({ transport, clock, socketPath: `${dockerd.socketPath}.no` }),
      image: "busybox:test",
      async close() {
        await transport.close();
        await sshd.stop();
        await dockerd.stop();
      },
    };
  });

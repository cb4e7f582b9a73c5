// Test run: about 45 s.

import { it } from "node:test";
import Docker from "dockerode";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createDockerProvider } from "../../../src/providers/docker/docker-provider.ts";
import { dockerUnavailable, startDockerd } from "../../harness/docker.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd } from "../../harness/sshd.ts";
import { dockerSkips } from "./docker-skips.ts";
import { providerConformance } from "./suite.ts";

const why = sshdUnavailable() ?? dockerUnavailable();

if (why !== undefined) it("docker over SSH", { skip: why }, () => {});
else
  providerConformance("docker over SSH", async () => {
    const dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    const sshd = await startSshd();
    const transport = sshTo(sshd);
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
        await sshd.stop();
        await dockerd.stop();
      },
    };
  }, { skip: dockerSkips });

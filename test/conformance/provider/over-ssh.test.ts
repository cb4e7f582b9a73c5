import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createDockerProvider } from "../../../src/providers/docker/docker-provider.ts";
import { createHostProvider } from "../../../src/providers/host/host-provider.ts";
import { dockerUnavailable, startDockerd } from "../../harness/docker.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd } from "../../harness/sshd.ts";
import { providerConformance } from "./suite.ts";

// A provider is handed a transport and does not know which: on a machine over SSH it does the same.

const isolation = "plain processes have no file system, network or limits of their own";
const noSshd = sshdUnavailable();

if (noSshd !== undefined) it("host over ssh", { skip: noSshd }, () => {});
else
  providerConformance(
    "host over ssh",
    async () => {
      const dir = mkdtempSync(join(tmpdir(), "vd-host-"));
      const sshd = await startSshd();
      const transport = sshTo(sshd);
      return {
        provider: createHostProvider({ transport, clock, dir }),
        unreachable: undefined,
        image: "",
        async close() {
          await transport.close();
          await sshd.stop();
          rmSync(dir, { recursive: true, force: true });
        },
      };
    },
    {
      skip: {
        "volumes are kept over a re-creation, and go when asked": isolation,
        "publishes a port where it was told to, and says when that is taken": isolation,
        "answers on a published port": isolation,
        "enforces the limits it claims": "claims none",
        "says when there is no such image": "has no images",
        "hints when something happens": "has no event stream",
        "throws when the engine does not answer: unknown is not absent (INV-5)": "has no engine that could be silent",
      },
    },
  );

const noDocker = noSshd ?? dockerUnavailable();
if (noDocker !== undefined) it("docker over ssh", { skip: noDocker }, () => {});
else
  providerConformance("docker over ssh", async () => {
    const [dockerd, sshd] = await Promise.all([startDockerd(), startSshd()]);
    await dockerd.importBusybox("busybox:test");
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

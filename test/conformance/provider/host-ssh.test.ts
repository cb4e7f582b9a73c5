import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createHostProvider } from "../../../src/providers/host/host-provider.ts";
import { freePort } from "../../harness/ports.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd } from "../../harness/sshd.ts";
import { providerConformance } from "./suite.ts";

const isolation = "plain processes have no file system, network or limits of their own";
const why = sshdUnavailable();

if (why !== undefined) it("host over SSH", { skip: why }, () => {});
else
  providerConformance(
    "host over SSH",
    async () => {
      const dir = mkdtempSync(join(tmpdir(), "vd-host-"));
      const sshd = await startSshd({ home: dir });
      const transport = sshTo(sshd);
      const nowhere = sshTo(sshd, { port: await freePort() });
      const instances = () => Promise.resolve(join(dir, "not", "made", "yet"));
      return {
        provider: createHostProvider({ transport, clock, dir: instances }),
        unreachable: createHostProvider({ transport: nowhere, clock, dir: instances }),
        image: "",
        async close() {
          await nowhere.close();
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
      },
    },
  );

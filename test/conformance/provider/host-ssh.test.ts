import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createHostProvider } from "../../../src/providers/host/host-provider.ts";
import { freePort } from "../../harness/ports.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd } from "../../harness/sshd.ts";
import { hostSkips } from "./host-skips.ts";
import { providerConformance } from "./suite.ts";

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
      const again = () => createHostProvider({ transport, clock, dir: instances });
      return {
        provider: again(),
        again,
        behind: { spoil: async (id) => writeFileSync(join(await instances(), id, "instance.json"), "{") },
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
      skip: hostSkips,
    },
  );

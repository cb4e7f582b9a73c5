// Test run: about 60 s.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock as clock, systemRandom as random } from "../../../src/base/system.ts";
import { createLxcProvider } from "../../../src/providers/lxc/lxc-provider.ts";
import { relay } from "../../../src/transports/ssh/relay.ts";
import { behindLxc } from "../../harness/behind-lxc.ts";
import { lxcUnavailable } from "../../harness/lxc.ts";
import { freePort } from "../../harness/ports.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd } from "../../harness/sshd.ts";
import { providerConformance } from "./suite.ts";

const why = sshdUnavailable() ?? lxcUnavailable();

if (why !== undefined) it("lxc over SSH", { skip: why }, () => {});
else
  providerConformance(
    "lxc over SSH",
    async () => {
      const base = mkdtempSync(join(tmpdir(), "vd-lxc-"));
      const sshd = await startSshd();
      const transport = sshTo(sshd);
      const nowhere = sshTo(sshd, { port: await freePort() });
      const dir = () => Promise.resolve(join(base, "not", "made", "yet"));
      const again = () => createLxcProvider({ transport, clock, random, relay, dir });
      return {
        provider: again(),
        again,
        behind: behindLxc(join(base, "not", "made", "yet")),
        unreachable: createLxcProvider({ transport: nowhere, clock, random, relay, dir }),
        image: "busybox",
        async close() {
          await nowhere.close();
          await transport.close();
          await sshd.stop();
          rmSync(base, { recursive: true, force: true });
        },
      };
    },
    {
      skip: {
        "publishes a port where it was told to, and says when that is taken": "publishes no ports: the server carries them",
        "answers on a published port": "publishes no ports: the server carries them",
        "is started without a published port that was taken away from it, with its disk as it was": "publishes no ports: the server carries them",
        "publishes other ports while it runs": "publishes no ports: the server carries them",
      },
    },
  );

// Test run: about 130 s.

import { it } from "node:test";
import { freePort } from "../../harness/ports.ts";
import { behindMachines, qemuPlace } from "../../harness/qemu-place.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd } from "../../harness/sshd.ts";
import { qemuUnavailable, tinyGuest } from "../../harness/tiny-guest.ts";
import { providerConformance } from "./suite.ts";

const why = sshdUnavailable() ?? qemuUnavailable();

if (why !== undefined) it("qemu over SSH", { skip: why }, () => {});
else
  providerConformance(
    "qemu over SSH",
    async () => {
      const { image, engine } = await tinyGuest();
      const sshd = await startSshd();
      const place = qemuPlace(sshTo(sshd));
      const nowhere = qemuPlace(sshTo(sshd, { port: await freePort() }));
      return {
        provider: place.provider,
        again: place.again,
        behind: behindMachines(place),
        unreachable: nowhere.provider,
        image,
        engine,
        async close() {
          await nowhere.close();
          await place.close();
          await sshd.stop();
        },
      };
    },
    {
      patience: 5,
      skip: { "enforces the limits it claims": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine" },
    },
  );

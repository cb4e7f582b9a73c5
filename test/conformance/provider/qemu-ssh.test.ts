// Test run: about 130 s.

import { it } from "node:test";
import { behindQemu } from "../../harness/behind-qemu.ts";
import { freePort } from "../../harness/ports.ts";
import { qemuPlace } from "../../harness/qemu-place.ts";
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
        again: () => place.again(),
        behind: behindQemu(place.dir),
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
      skip: {
        "enforces the limits it claims": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
        "stop forces what was asked and goes on": "a machine that is forced loses what it has not written to its disk yet",
        "holds memory to its limit": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
      },
    },
  );

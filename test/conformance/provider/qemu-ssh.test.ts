// Test run: about 60 s.

import { it } from "node:test";
import { isLong } from "../../harness/long.ts";
import { behindQemu } from "../../harness/behind-qemu.ts";
import { freePort } from "../../harness/ports.ts";
import { qemuPlace } from "../../harness/qemu-place.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd } from "../../harness/sshd.ts";
import { qemuUnavailable, tinyGuest } from "../../harness/tiny-guest.ts";
import { providerConformance } from "./suite.ts";

/** Each would start emulated machines, of which two cores bear so many. */
const askedHere = [
  "a second create of the same owner takes what is there (INV-3)", "start and stop may be said twice; a new start has a new id", "each verb may be said twice at the same time", "stop without grace asks nobody",
  "stop ends what runs inside, by force when it does not listen", "destroy of what runs ends what runs in it", "works on several at once", "volumes are kept over a re-creation, and go when asked",
  "memory that is mounted is empty at each start", "snapshots keep the disk as it was, and put it back", "tells what an instance uses while it runs", "exec hands on arguments and environment byte for byte",
  "exec's own environment goes before the instance's, and its directory too", "publishes a port where it was told to, and says when that is taken",
  "is started without a published port that was taken away from it, with its disk as it was", "a paused instance is told so, and goes on when it is started", "an instance that cannot be used is told so, hides no other, and can be destroyed",
];

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
        ...(isLong ? {} : Object.fromEntries(askedHere.map((what) => [what, "asked of machines on this one, by the same commands; over SSH with VENDETTA_TEST_LONG=true"]))),
        "enforces the limits it claims": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
        "stop forces what was asked and goes on": "a machine that is forced loses what it has not written to its disk yet",
        "holds memory to its limit": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
      },
    },
  );

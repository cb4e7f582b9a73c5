// Test run: about 120 s.

import { it } from "node:test";
import { behindQemu } from "../../harness/behind-qemu.ts";
import { qemuPlace } from "../../harness/qemu-place.ts";
import { qemuUnavailable, tinyGuest } from "../../harness/tiny-guest.ts";
import { providerConformance } from "./suite.ts";

const why = qemuUnavailable();

if (why !== undefined) it("qemu", { skip: why }, () => {});
else
  providerConformance(
    "qemu",
    async () => {
      const { image, engine } = await tinyGuest();
      const place = qemuPlace();
      return { ...place, behind: behindQemu(place.dir), unreachable: undefined, image, engine };
    },
    {
      patience: 5,
      skip: {
        "enforces the limits it claims": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
        "stop forces what was asked and goes on": "a machine that is forced loses what it has not written to its disk yet",
        "holds memory to its limit": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
        "throws when the engine does not answer: unknown is not absent (INV-5)": "has no engine that could be silent",
      },
    },
  );

// Test run: about 120 s.

import { it } from "node:test";
import { isLong } from "../../harness/long.ts";
import { behindQemu } from "../../harness/behind-qemu.ts";
import { qemuPlace } from "../../harness/qemu-place.ts";
import { qemuUnavailable, tinyGuest } from "../../harness/tiny-guest.ts";
import { providerConformance } from "./suite.ts";

const longOnly = ["works on several at once", "each verb may be said twice at the same time", "stop without grace asks nobody", "stop ends what runs inside, by force when it does not listen", "destroy of what runs ends what runs in it"];

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
        ...(isLong ? {} : Object.fromEntries(longOnly.map((what) => [what, "starts emulated machines for what other cases nearly show; asked with VENDETTA_TEST_LONG=true"]))),
        "enforces the limits it claims": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
        "stop forces what was asked and goes on": "a machine that is forced loses what it has not written to its disk yet",
        "holds memory to its limit": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
        "throws when the engine does not answer: unknown is not absent (INV-5)": "has no engine that could be silent",
      },
    },
  );

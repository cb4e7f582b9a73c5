// Test run: about 100 s.

import { it } from "node:test";
import { isLong } from "../../harness/long.ts";
import { behindQemu } from "../../harness/behind-qemu.ts";
import { qemuPlace } from "../../harness/qemu-place.ts";
import { qemuUnavailable, tinyGuest } from "../../harness/tiny-guest.ts";
import { providerConformance } from "./suite.ts";

const longOnly = ["works on several at once"];
/** Those that qemu-ssh.test.ts does not ask are asked here, so that each is asked of machines at least once. */
const askedOverSsh = [
  "create, start, inspect and list agree", "what was made is found and goes on after a restart of the server", "stop asks first: what listens ends by itself", "destroy leaves nothing, and may be said twice",
  "shows its console, also after its end, and no more of it than was asked for", "hints when something happens", "exec carries 10 MB through, binary safe", "files go in and out whole", "exec refuses what does not run",
  "dial carries what is said, both ways and to its end", "answers on a published port", "publishes other ports while it runs", "an instance that ended by itself is told so, and can be started again",
];

const askedElsewhere = (cases: readonly string[], why: string) => Object.fromEntries(cases.map((what) => [what, `${why}; here with VENDETTA_TEST_LONG=true`]));

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
        ...(isLong ? {} : { ...askedElsewhere(longOnly, "five emulated machines at once are too many for two cores in a short run"), ...askedElsewhere(askedOverSsh, "asked of machines over SSH, which is the longer way") }),
        "enforces the limits it claims": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
        "stop forces what was asked and goes on": "a machine that is forced loses what it has not written to its disk yet",
        "holds memory to its limit": "no kernel begins in 32 MiB; qemu-machines.test.ts looks at what bounds a machine",
        "throws when the engine does not answer: unknown is not absent (INV-5)": "has no engine that could be silent",
      },
    },
  );

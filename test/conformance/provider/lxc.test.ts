// Test run: about 60 s.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock as clock, systemRandom as random } from "../../../src/base/system.ts";
import { createLxcProvider } from "../../../src/providers/lxc/lxc-provider.ts";
import { createLocalTransport } from "../../../src/transports/local.ts";
import { relay } from "../../../src/transports/ssh/relay.ts";
import { behindLxc } from "../../harness/behind-lxc.ts";
import { lxcUnavailable } from "../../harness/lxc.ts";
import { providerConformance } from "./suite.ts";

const why = lxcUnavailable();

if (why !== undefined) it("lxc", { skip: why }, () => {});
else
  providerConformance(
    "lxc",
    () => {
      const dir = mkdtempSync(join(tmpdir(), "vd-lxc-"));
      const transport = createLocalTransport({ clock });
      const again = () => createLxcProvider({ transport, clock, random, relay, dir: () => Promise.resolve(dir) });
      return Promise.resolve({
        provider: again(),
        again,
        behind: behindLxc(dir),
        unreachable: undefined,
        image: "busybox",
        async close() {
          await transport.close();
          rmSync(dir, { recursive: true, force: true });
        },
      });
    },
    {
      skip: {
        "publishes a port where it was told to, and says when that is taken": "publishes no ports: the server carries them",
        "answers on a published port": "publishes no ports: the server carries them",
        "is started without a published port that was taken away from it, with its disk as it was": "publishes no ports: the server carries them",
        "publishes other ports while it runs": "publishes no ports: the server carries them",
        "throws when the engine does not answer: unknown is not absent (INV-5)": "has no engine that could be silent",
      },
    },
  );

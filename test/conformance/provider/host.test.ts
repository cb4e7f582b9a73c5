import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createHostProvider } from "../../../src/providers/host/host-provider.ts";
import { createLocalTransport } from "../../../src/transports/local.ts";
import { providerConformance } from "./suite.ts";

const isolation = "plain processes have no file system, network or limits of their own";

providerConformance(
  "host",
  () => {
    const dir = mkdtempSync(join(tmpdir(), "vd-host-"));
    const transport = createLocalTransport({ clock });
    return Promise.resolve({
      provider: createHostProvider({ transport, clock, dir: () => Promise.resolve(dir) }),
      unreachable: undefined,
      image: "",
      async close() {
        await transport.close();
        rmSync(dir, { recursive: true, force: true });
      },
    });
  },
  {
    skip: {
      "volumes are kept over a re-creation, and go when asked": isolation,
      "publishes a port where it was told to, and says when that is taken": isolation,
      "answers on a published port": isolation,
      "enforces the limits it claims": "claims none",
      "says when there is no such image": "has no images",
      "hints when something happens": "has no event stream",
      "throws when the engine does not answer: unknown is not absent (INV-5)": "has no engine that could be silent",
    },
  },
);

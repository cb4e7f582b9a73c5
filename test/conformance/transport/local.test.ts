import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createLocalTransport } from "../../../src/transports/local.ts";
import { transportConformance } from "./suite.ts";

transportConformance("local", () => {
  const directory = mkdtempSync(join(tmpdir(), "vd-local-"));
  const transport = createLocalTransport({ clock });
  return Promise.resolve({
    transport,
    directory,
    open: () => Promise.resolve(createLocalTransport({ clock })),
    async close() {
      await transport.close();
      rmSync(directory, { recursive: true, force: true });
    },
  });
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../../src/base/log.ts";
import { systemRandom } from "../../../src/base/system.ts";
import { createVirtualClock } from "../../../src/base/virtual-clock.ts";
import { openFileStore } from "../../../src/store/file-store.ts";
import { storeConformance } from "./suite.ts";

storeConformance("file", async (bounds) => {
  const clock = createVirtualClock();
  const dir = await mkdtemp(join(tmpdir(), "vendetta-store-"));
  const store = await openFileStore({ dir, clock, random: systemRandom, log: silentLogger, ...bounds });
  return {
    store,
    advance: (ms) => clock.advance(ms),
    async close() {
      await store.close();
      await rm(dir, { recursive: true });
    },
  };
});

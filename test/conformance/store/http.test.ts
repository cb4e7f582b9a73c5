import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../../src/base/log.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { systemClock } from "../../../src/base/system.ts";
import { createVirtualClock } from "../../../src/base/virtual-clock.ts";
import { createHttpStore } from "../../../src/client/http-store.ts";
import { createApp } from "../../../src/server/app.ts";
import { listen } from "../../../src/server/listener.ts";
import { createMemoryStore } from "../../../src/store/memory-store.ts";
import { storeConformance } from "./suite.ts";

// The store and the app run on a clock that can be moved; the wire takes its real time.
storeConformance(
  "over HTTP",
  async (bounds) => {
    const clock = createVirtualClock();
    const app = createApp({ store: createMemoryStore({ clock, random: seededRandom(1), ...bounds }), clock, log: silentLogger, version: "0.0.0-test" });
    const directory = await mkdtemp(join(tmpdir(), "vendetta-"));
    const socketPath = join(directory, "api.sock");
    const listener = await listen({ app, socketPath, log: silentLogger, clock: systemClock });
    const store = createHttpStore({ socketPath, clock: systemClock, userAgent: "vendetta-test" });
    return {
      store,
      advance: (ms) => clock.advance(ms),
      async close() {
        await store.close();
        await listener.close();
        await rm(directory, { recursive: true });
      },
    };
  },
  {
    directWatch: "the socket and both ends' streams buffer too; test/unit/server-watch and server-listener ask the same",
    inProcess: "a client sends JSON",
    unnamedWriters: "a client that names no manager is known by its User-Agent",
  },
);

import { seededRandom } from "../../../src/base/random.ts";
import { createVirtualClock } from "../../../src/base/virtual-clock.ts";
import { createMemoryStore } from "../../../src/store/memory-store.ts";
import { storeConformance } from "./suite.ts";

storeConformance("memory", async (bounds) => {
  const clock = createVirtualClock();
  return { store: createMemoryStore({ clock, random: seededRandom(1), ...bounds }), advance: (ms) => clock.advance(ms), close: async () => {} };
});

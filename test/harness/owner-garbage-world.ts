import assert from "node:assert/strict";
import { silentLogger as log } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock, type VirtualClock } from "../../src/base/virtual-clock.ts";
import type { KindName } from "../../src/api/registry.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createOwnerGarbage } from "../../src/runtime/owner-garbage.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";

export interface OwnerGarbageWorld {
  readonly store: Store;
  readonly clock: VirtualClock;
  /** Ends the collector and waits until it has. */
  end(): Promise<void>;
}

/** The collector of what has lost its owners, running over objects of one kind in a memory store. */
export async function ownerGarbageWorld(kind: KindName, seed: number): Promise<OwnerGarbageWorld> {
  const clock = createVirtualClock();
  const random = seededRandom(seed);
  const store = createMemoryStore({ clock, random });
  const stop = new AbortController();
  const informer = createInformer(kind, { store, clock, random, log });
  const ended = [informer, createOwnerGarbage({ store, informers: [informer], clock, log })].map((each) => each.run(stop.signal, () => {}));
  await clock.advance(0);
  return {
    store,
    clock,
    async end() {
      stop.abort();
      await clock.advance(5000);
      await Promise.all(ended);
      assert.equal(clock.pending, 0, "a timer was left behind");
    },
  };
}

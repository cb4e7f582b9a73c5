// The whole of the loops over a store in memory and a simulated engine that answers at once: what vendetta itself costs.
import { sleep } from "../../src/base/clock.ts";
import { keyOf } from "../../src/base/keys.ts";
import { systemClock as clock, systemRandom as random } from "../../src/base/system.ts";
import { silentLogger as log } from "../../src/base/log.ts";
import { isTrue } from "../../src/api/conditions.ts";
import { createSimEngine } from "../../src/providers/sim/sim-engine.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { workspace } from "../conformance/store/fixture.ts";
import { startControlPlane } from "../simulation/control-plane.ts";
import { makeNode } from "../simulation/world.ts";
import { figure, percentile, ratio, spread } from "./figures.ts";

const clients = 50;
const timeoutMs = 300_000;
/** Time for the first listing that shows all of them, after which each is looked at once. */
const settleMs = 15_000;
/** Several of the loops' own periodic looks. */
const idleMs = 40_000;

/** Resolves with the moment at which `count` Workspaces have been Ready. */
async function allReady(store: Store, count: number): Promise<number> {
  const stop = new AbortController();
  const ready = new Set<string>();
  const informer = createInformer("Workspace", { store, clock, random, log });
  let end = 0;
  informer.onChange(({ object }) => {
    if (!isTrue(object.status?.conditions, "Ready") || ready.size === count) return;
    ready.add(keyOf(object));
    if (ready.size < count) return;
    end = performance.now();
    stop.abort();
  });
  await informer.run(AbortSignal.any([stop.signal, AbortSignal.timeout(timeoutMs)]), () => {});
  if (ready.size < count) throw new Error(`only ${ready.size} of ${count} Workspaces became Ready`);
  return end;
}

/** Milliseconds from the first of `count` creations until the last Workspace is Ready. */
async function toReady(count: number, whenReady: () => Promise<void> = () => Promise.resolve()): Promise<number> {
  const store = createMemoryStore({ clock, random });
  await makeNode(store);
  const life = startControlPlane({ store, engine: createSimEngine(clock), clock, random, active: () => false, trace: () => {}, onStart: () => {}, onChangingCall: () => {}, onCrash: () => {} });
  const start = performance.now();
  const done = allReady(store, count);
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    for (let i = 0; i < count / clients; i++) await store.create("Workspace", workspace(`w${client}-${i}`));
  }));
  const end = await done;
  await whenReady();
  life.alive = false;
  return end - start;
}

/** Share of a core that this process uses while nobody asks for anything, in percent. */
async function idlePercent(): Promise<number> {
  await sleep(clock, settleMs);
  const before = process.cpuUsage();
  await sleep(clock, idleMs);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 10 / idleMs;
}

const [few, many] = [1000, 10_000];
let idle = NaN;
await toReady(few, async () => {
  idle = await idlePercent();
});
const small: number[] = [];
const large: number[] = [];
for (let round = 0; round < 3; round++) {
  for (let i = 0; i < 3; i++) small.push(await toReady(few));
  large.push(await toReady(many));
}
const rate = (samples: readonly number[], count: number) => `${spread(samples)}, ${((count * 1000) / percentile(samples, 0.5)).toFixed(0)} a second`;
figure("1,000 simulated Workspaces from nothing to Ready", rate(small, few), ">= 500 a second");
figure("10,000 likewise", rate(large, many), ">= 500 a second");
figure("per object: at 10,000 against at 1,000", ratio(percentile(large, 0.5) / percentile(small, 0.5) / (many / few)), "<= 1.3x");
figure("idle with 1,000 Workspaces, of one core", `${idle.toFixed(2)} %`, "<= 0.5 %");
// The loops of the lives that are over still have their timers.
process.exit();

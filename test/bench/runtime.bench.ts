// What informer, work queue and controller cost an object, with a reconciler that does nothing and a store in memory.
import { silentLogger as log } from "../../src/base/log.ts";
import { systemClock as clock, systemRandom as random } from "../../src/base/system.ts";
import { createController } from "../../src/runtime/controller.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { settled } from "../../src/runtime/reconciler.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { workspace } from "../conformance/store/fixture.ts";
import { figure, percentile, ratio, spread, throughput } from "./figures.ts";

const clients = 50;

/** Milliseconds of one run over a whole store. */
interface Costs {
  /** From nothing to a full cache. */
  readonly sync: number;
  /** From a full queue to every object reconciled once. */
  readonly reconcile: number;
  /** From the first of as many writes as there are objects to the reconcile of the last. */
  readonly change: number;
}

async function fill(count: number): Promise<Store> {
  const store = createMemoryStore({ clock, random });
  await throughput(clients, count / clients, (client, i) => store.create("Workspace", workspace(`w${client}-${i}`)));
  return store;
}

async function measure(store: Store, count: number): Promise<Costs> {
  const stop = new AbortController();
  let passes = 0;
  let enough = () => {};
  const reconcile = () => {
    if (++passes === count) enough();
    return Promise.resolve(settled);
  };
  const allPassed = () => {
    passes = 0;
    return new Promise<void>((resolve) => (enough = resolve));
  };
  const informer = createInformer("Workspace", { store, clock, random, log });
  const controller = createController({ kind: "Workspace", name: "bench", watches: [{ kind: "Workspace" }], reconcile }, { informers: { Workspace: informer }, clock, random, log });

  const start = performance.now();
  const jobs: Promise<void>[] = [];
  await new Promise<void>((ready) => jobs.push(informer.run(stop.signal, ready)));
  const synced = performance.now();

  const first = allPassed();
  jobs.push(controller.run(stop.signal, () => {}));
  await first;
  const reconciled = performance.now();

  const second = allPassed();
  const label = String(reconciled);
  await throughput(clients, count / clients, (client, i) => store.patch("Workspace", { namespace: "default", name: `w${client}-${i}` }, { type: "merge", patch: { metadata: { labels: { round: label } } } }));
  await second;
  const changed = performance.now();
  stop.abort();
  await Promise.all(jobs);
  return { sync: synced - start, reconcile: reconciled - synced, change: changed - reconciled };
}

const [few, many] = [1000, 10_000];
const [small, large] = [await fill(few), await fill(many)];
const samples: { readonly small: Costs[]; readonly large: Costs[] } = { small: [], large: [] };
// The first rounds warm up the compiler. As many objects in either, so that a slow moment is as likely to meet both.
for (let round = 0; round < 9; round++) {
  for (let i = 0; i < many / few; i++) {
    const costs = await measure(small, few);
    if (round > 1) samples.small.push(costs);
  }
  const costs = await measure(large, many);
  if (round > 1) samples.large.push(costs);
}
const of = (size: keyof typeof samples, part: keyof Costs) => samples[size].map((each) => each[part]);
const each = (size: keyof typeof samples, part: keyof Costs) => percentile(of(size, part), 0.5) / (size === "small" ? few : many);
const micros = (value: number) => `${(value * 1000).toFixed(1)} us`;
const perSecond = (part: keyof Costs) => `${(1000 / each("large", part)).toFixed(0)} a second`;
figure("first sync of an informer, 10,000 objects", spread(of("large", "sync")));
figure("first reconcile of 10,000 objects", `${spread(of("large", "reconcile"))}, ${perSecond("reconcile")}`);
figure("write, watch event, reconcile of 10,000 objects", `${spread(of("large", "change"))}, ${perSecond("change")}`);
for (const part of ["sync", "reconcile", "change"] as const) {
  figure(`${part}, per object: at 10,000 against at 1,000`, `${ratio(each("large", part) / each("small", part))} (${micros(each("large", part))}, ${micros(each("small", part))})`, "<= 1.3x");
}

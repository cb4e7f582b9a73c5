import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import type { Key } from "../../src/base/keys.ts";
import { silentLogger as log } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { createController } from "../../src/runtime/controller.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createManager } from "../../src/runtime/manager.ts";
import { requeue, settled, TerminalError, type Outcome } from "../../src/runtime/reconciler.ts";
import type { Runnable } from "../../src/runtime/runnable.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";

const namespace = (name: string) => ({ apiVersion: "v1" as const, kind: "Namespace" as const, metadata: { name }, spec: {} });

/** A controller over Namespaces of a memory store, under a clock that stands still until told to move. */
async function bench(reconcile: (key: Key, signal: AbortSignal) => Promise<Outcome>, concurrency = 2, lanes: { readonly lane?: (key: Key) => string | undefined; readonly laneConcurrency?: number } = {}) {
  const clock = createVirtualClock();
  const random = seededRandom(7);
  const store = createMemoryStore({ clock, random });
  const informer = createInformer("Namespace", { store, clock, random, log });
  const controller = createController({ kind: "Namespace", name: "test", watches: [{ kind: "Namespace" }], reconcile, ...(lanes.lane === undefined ? {} : { lane: lanes.lane }) }, { informers: { Namespace: informer }, clock, random, log, concurrency, laneConcurrency: lanes.laneConcurrency ?? concurrency });
  const stop = new AbortController();
  const manager = createManager({ clock, log });
  manager.add(informer, controller);
  const ended = manager.run(stop.signal);
  await clock.advance(0);
  return {
    clock, store, controller, informer,
    async end() {
      stop.abort();
      await clock.advance(0);
      await ended;
    },
  };
}

describe("a controller", () => {
  it("looks at what is there, and again at what changes", async () => {
    const seen: string[] = [];
    const { clock, store, end } = await bench((key) => {
      seen.push(key);
      return Promise.resolve(settled);
    });
    assert.deepEqual(seen, ["default"]);
    await store.create("Namespace", namespace("team"));
    await clock.advance(1);
    await store.delete("Namespace", { name: "team" });
    await clock.advance(1);
    assert.deepEqual(seen, ["default", "team", "team"]);
    await end();
  });

  it("never looks at one object twice at once (INV-2), and at different ones in parallel, within its bound", async () => {
    const working = new Set<string>();
    let most = 0;
    const holder: { clock?: ReturnType<typeof createVirtualClock> } = {};
    const { clock, controller, end } = await bench(async (key) => {
      assert.ok(!working.has(key), `${key} twice at once`);
      working.add(key);
      most = Math.max(most, working.size);
      if (holder.clock !== undefined) await sleep(holder.clock, 10);
      working.delete(key);
      return settled;
    }, 3);
    holder.clock = clock;
    for (let i = 0; i < 40; i++) {
      controller.enqueue(`n${i % 5}` as Key);
      await clock.advance(3);
    }
    await clock.advance(500);
    assert.equal(most, 3);
    await end();
  });

  it("is not held up by a lane whose objects hang: those of other lanes are looked at meanwhile", async () => {
    const looked: string[] = [];
    let hanging = 0;
    const { clock, controller, end } = await bench(
      (key, signal) => {
        looked.push(key);
        if (!key.startsWith("far")) return Promise.resolve(settled);
        hanging++;
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }));
      },
      3,
      { lane: (key) => key.slice(0, 3), laneConcurrency: 2 },
    );
    for (let i = 0; i < 10; i++) controller.enqueue(`far${i}` as Key);
    for (let i = 0; i < 10; i++) controller.enqueue(`own${i}` as Key);
    await clock.advance(10);
    assert.equal(hanging, 2);
    assert.deepEqual(looked.filter((key) => key.startsWith("own")).length, 10);
    await end();
  });

  it("comes back when it was asked to", async () => {
    let looks = 0;
    const { clock, end } = await bench(() => {
      looks++;
      return Promise.resolve(looks < 3 ? requeue(1000) : settled);
    });
    assert.equal(looks, 1);
    await clock.advance(999);
    assert.equal(looks, 1);
    await clock.advance(1);
    assert.equal(looks, 2);
    await clock.advance(60_000);
    assert.equal(looks, 3);
    await end();
  });

  it("tries a failed pass again, ever more slowly, and starts over after a success", async () => {
    const at: number[] = [];
    let fails = 6;
    const holder: { clock?: ReturnType<typeof createVirtualClock> } = {};
    const { clock, controller, end } = await bench(() => {
      at.push(holder.clock?.monotonic() ?? 0);
      return fails-- > 0 ? Promise.reject(new Error("no")) : Promise.resolve(settled);
    });
    holder.clock = clock;
    await clock.advance(60_000);
    assert.equal(at.length, 7);
    const gaps = at.slice(2).map((time, i) => time - at[i + 1]!);
    assert.ok(gaps.at(-1)! > gaps[0]! * 4, gaps.join());
    fails = 1;
    controller.enqueue("default" as Key);
    await clock.advance(20);
    assert.equal(at.length, 9, "the next failure waits the shortest time again");
    await end();
  });

  it("tries again at once-ish on a Conflict, and not at all on a TerminalError", async () => {
    const errors: Error[] = [new StatusError("Conflict", "stale"), new TerminalError("never")];
    let looks = 0;
    const { clock, end } = await bench(() => {
      looks++;
      const error = errors.shift();
      return error === undefined ? Promise.resolve(settled) : Promise.reject(error);
    });
    await clock.advance(120_000);
    assert.equal(looks, 2);
    await end();
  });

  it("waits, when stopped, for what is under way, and tells it", async () => {
    let aborted = false;
    let ended = false;
    const { end } = await bench(async (_, signal) => {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      aborted = true;
      await new Promise((resolve) => setImmediate(resolve));
      ended = true;
      return settled;
    });
    await end();
    assert.deepEqual([aborted, ended], [true, true]);
  });
});

describe("an informer", () => {
  it("lists again when the past is gone, and tells what differs", async () => {
    const clock = createVirtualClock();
    const random = seededRandom(3);
    const store = createMemoryStore({ clock, random });
    let breaks = 1;
    const flaky = {
      list: store.list.bind(store),
      watch: (...args: Parameters<typeof store.watch<"Namespace">>) => {
        if (breaks-- > 0) throw new StatusError("Gone", "too old");
        return store.watch(...args);
      },
    } as Pick<typeof store, "list" | "watch">;
    const informer = createInformer("Namespace", { store: flaky, clock, random, log, indexes: { initial: ({ metadata }) => [metadata.name[0]!] } });
    const told: string[] = [];
    informer.onChange(({ type, object }) => told.push(`${type} ${object.metadata.name}`));
    const stop = new AbortController();
    const ended = informer.run(stop.signal, () => {});
    await clock.advance(0);
    await store.create("Namespace", namespace("beta"));
    await clock.advance(100);
    assert.deepEqual(told, ["added default", "added beta"]);
    const { metadata } = await store.create("Namespace", namespace("bravo"));
    await informer.waitForVersion(metadata.resourceVersion, new AbortController().signal);
    assert.deepEqual(informer.lister.byIndex("initial", "b").map((each) => each.metadata.name).sort(), ["beta", "bravo"]);
    await store.delete("Namespace", { name: "beta" });
    await clock.advance(10);
    assert.deepEqual(informer.lister.byIndex("initial", "b").map((each) => each.metadata.name), ["bravo"]);
    stop.abort();
    await clock.advance(0);
    await ended;
  });
});

describe("the manager", () => {
  const runnable = (name: string, phase: Runnable["phase"], story: string[], body?: () => Promise<void>): Runnable => ({
    name, phase,
    async run(signal, ready) {
      story.push(`start ${name}`);
      ready();
      if (body !== undefined) return body();
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      story.push(`stop ${name}`);
    },
  });

  it("starts by phase and stops in reverse", async () => {
    const clock = createVirtualClock();
    const story: string[] = [];
    const manager = createManager({ clock, log });
    manager.add(runnable("api", "edge", story), runnable("cache", "caches", story), runnable("loop", "controllers", story));
    const stop = new AbortController();
    await manager.run(stop.signal, () => stop.abort());
    assert.deepEqual(story, ["start cache", "start loop", "start api", "stop api", "stop loop", "stop cache"]);
  });
  it("stops everything when one fails, and hands out its error", async () => {
    const clock = createVirtualClock();
    const story: string[] = [];
    const manager = createManager({ clock, log });
    manager.add(runnable("cache", "caches", story), runnable("loop", "controllers", story, () => Promise.reject(new Error("broken"))));
    await assert.rejects(manager.run(new AbortController().signal), /broken/);
    assert.ok(story.includes("stop cache"));
  });
  it("takes an end that nobody asked for as a failure", async () => {
    const clock = createVirtualClock();
    const manager = createManager({ clock, log });
    manager.add(runnable("loop", "controllers", [], () => Promise.resolve()));
    await assert.rejects(manager.run(new AbortController().signal), /loop ended without being asked to/);
  });
});

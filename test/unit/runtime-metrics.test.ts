import assert from "node:assert/strict";
import { it } from "node:test";
import { silentLogger as log } from "../../src/base/log.ts";
import type { Key } from "../../src/base/keys.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { sleep } from "../../src/base/clock.ts";
import { createRegistry, createRuntimeMetrics } from "../../src/compose/prometheus-metrics.ts";
import { createController } from "../../src/runtime/controller.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { requeue, settled, TerminalError, type Outcome } from "../../src/runtime/reconciler.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { parsePrometheus } from "../harness/prometheus-text.ts";

it("the loops tell of passes, waits, retries and relists, in seconds, and the process of itself", async () => {
  const clock = createVirtualClock();
  const random = seededRandom(3);
  const registry = createRegistry("1.2.3", clock);
  const metrics = createRuntimeMetrics(registry);
  const store = createMemoryStore({ clock, random });
  const stop = new AbortController();
  const outcomes: (() => Outcome)[] = [
    () => requeue(10_000),
    () => { throw new StatusError("Conflict", "old"); },
    () => { throw new Error("no"); },
    () => { throw new TerminalError("never"); },
    () => settled,
  ];
  const informer = createInformer("Namespace", { store, clock, random, log, metrics });
  const controller = createController(
    {
      kind: "Namespace",
      name: "test-controller",
      watches: [{ kind: "Namespace" }],
      async reconcile(_key, signal) {
        await sleep(clock, 2000, signal);
        return outcomes.shift()!();
      },
    },
    { informers: { Namespace: informer }, clock, random, log, metrics, concurrency: 1 },
  );
  const ended = [informer, controller].map((each) => each.run(stop.signal, () => {}));
  await clock.advance(60_000);
  controller.enqueue("a" as Key);
  controller.enqueue("b" as Key);
  controller.enqueue("c" as Key);
  const text = async () => parsePrometheus(await registry.metrics());
  const value = async (family: string, series: string) => (await text()).get(family)?.series.get(series);
  const own = 'controller="test-controller"';
  await clock.advance(0);
  assert.equal(await value("vendetta_workqueue_depth", `vendetta_workqueue_depth{${own}}`), 1, "one is worked on, one is next, and one waits");
  outcomes.push(() => settled, () => settled);
  await clock.advance(10_000);

  for (const [result, count] of [["requeue", 1], ["conflict", 1], ["error", 1], ["terminal", 1], ["settled", 3]] as const) {
    assert.equal(await value("vendetta_reconciles_total", `vendetta_reconciles_total{${own},result="${result}"}`), count, result);
  }
  assert.equal(await value("vendetta_reconcile_duration_seconds", `vendetta_reconcile_duration_seconds_sum{${own}}`), 14);
  assert.equal(await value("vendetta_workqueue_adds_total", `vendetta_workqueue_adds_total{${own}}`), 7);
  assert.equal(await value("vendetta_workqueue_retries_total", `vendetta_workqueue_retries_total{${own}}`), 2);
  assert.equal(await value("vendetta_workqueue_wait_seconds", `vendetta_workqueue_wait_seconds_sum{${own}}`), 2, "c waited for a");
  assert.equal(await value("vendetta_workqueue_depth", `vendetta_workqueue_depth{${own}}`), 0);
  assert.equal(await value("vendetta_informer_relists_total", 'vendetta_informer_relists_total{kind="Namespace"}'), 1);

  const families = await text();
  assert.equal(families.get("vendetta_build_info")!.series.get('vendetta_build_info{version="1.2.3"}'), 1);
  for (const name of ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "nodejs_heap_size_used_bytes"]) assert.ok(families.get(name)!.series.get(name)! > 0, name);
  assert.ok(families.has("process_start_time_seconds"));
  stop.abort();
  await clock.advance(5000);
  await Promise.all(ended);
});

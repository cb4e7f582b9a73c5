import { readdir } from "node:fs/promises";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "../base/clock.ts";
import type { RuntimeMetrics } from "../runtime/runtime-metrics.ts";

/** Upper bounds in seconds: from a pass that finds nothing to do to one that waits for an image. */
const bucketsSeconds = [0.0001, 0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60, 300, 1200];

/** What counts, for one server. A registry of its own: the library's global one is everybody's. */
export function createRegistry(version: string, clock: Clock): Registry {
  const registry = new Registry();
  new Gauge({ name: "vendetta_build_info", help: "1, with the server's version as a label.", labelNames: ["version"], registers: [registry] }).set({ version }, 1);
  registerProcessMetrics(registry, clock);
  return registry;
}

/** Prometheus' standard names. The library's own set also samples the event loop all the time, which costs when nobody looks. */
function registerProcessMetrics(registry: Registry, clock: Clock): void {
  const registers = [registry];
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Processor time used by the server, user and system, in seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({ name: "process_resident_memory_bytes", help: "Resident memory of the server, in bytes.", registers, collect() { this.set(process.memoryUsage.rss()); } });
  new Gauge({ name: "nodejs_heap_size_used_bytes", help: "JavaScript heap in use, in bytes.", registers, collect() { this.set(process.memoryUsage().heapUsed); } });
  new Gauge({ name: "process_start_time_seconds", help: "When the server started, in seconds since the Unix epoch.", registers }).set(Math.round(clock.now() / 1000 - process.uptime()));
  new Gauge({
    name: "process_open_fds",
    help: "File descriptors the server has open.",
    registers,
    async collect() {
      this.set((await readdir("/proc/self/fd")).length);
    },
  });
}

/** The loops' metrics in a registry. */
export function createRuntimeMetrics(registry: Registry): RuntimeMetrics {
  const registers = [registry];
  const labelNames = ["controller"] as const;
  const depths = new Map<string, () => number>();
  new Gauge({
    name: "vendetta_workqueue_depth",
    help: "Keys that wait for a worker, delayed ones not counted.",
    labelNames,
    registers,
    collect() {
      for (const [controller, read] of depths) this.set({ controller }, read());
    },
  });
  const adds = new Counter({ name: "vendetta_workqueue_adds_total", help: "Keys that began to wait.", labelNames, registers });
  const retries = new Counter({ name: "vendetta_workqueue_retries_total", help: "Keys to be tried again after a failure.", labelNames, registers });
  const waits = new Histogram({ name: "vendetta_workqueue_wait_seconds", help: "How long keys waited for a worker, in seconds.", labelNames, buckets: bucketsSeconds, registers });
  const reconciles = new Counter({ name: "vendetta_reconciles_total", help: "Passes over an object, by how they ended.", labelNames: [...labelNames, "result"], registers });
  const durations = new Histogram({ name: "vendetta_reconcile_duration_seconds", help: "How long passes over an object took, in seconds.", labelNames, buckets: bucketsSeconds, registers });
  const relists = new Counter({ name: "vendetta_informer_relists_total", help: "Times that a cache listed all objects of its kind: once at the start, and whenever it fell behind.", labelNames: ["kind"], registers });

  // Finding a labelled child costs more than counting in it.
  const passes = new Map<string, { readonly count: Counter.Internal; readonly duration: Histogram.Internal<"controller"> }>();
  return {
    queue(controller) {
      const [added, retried, waited] = [adds.labels({ controller }), retries.labels({ controller }), waits.labels({ controller })];
      return {
        depth: (read) => void depths.set(controller, read),
        added: () => added.inc(),
        retried: () => retried.inc(),
        taken: (waitedMs) => waited.observe(waitedMs / 1000),
      };
    },
    reconciled(controller, result, tookMs) {
      const key = `${controller} ${result}`;
      let pass = passes.get(key);
      if (pass === undefined) passes.set(key, (pass = { count: reconciles.labels({ controller, result }), duration: durations.labels({ controller }) }));
      pass.count.inc();
      pass.duration.observe(tookMs / 1000);
    },
    relisted: (kind) => relists.inc({ kind }),
  };
}

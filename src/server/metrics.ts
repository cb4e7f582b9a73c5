import type { Hono } from "hono";
import { Counter, Gauge, type Registry } from "prom-client";
import { isTrue } from "../api/conditions.ts";
import { kindNames } from "../api/registry.ts";
import type { Store } from "../store/store.ts";
import type { AppEnv } from "./app-env.ts";

/**
 * GET /metrics, in Prometheus' text form 0.0.4. What the store holds is read when somebody asks, so that it costs nothing
 * otherwise. Source: prometheus.io, "Exposition formats" and "Metric and label naming".
 */
export function addMetrics(app: Hono<AppEnv>, registry: Registry, store: Store): void {
  registerStoreMetrics(registry, store);
  app.get("/metrics", async () => new Response(await registry.metrics(), { headers: { "content-type": registry.contentType, "cache-control": "no-cache" } }));
}

function registerStoreMetrics(registry: Registry, store: Store): void {
  const registers = [registry];
  new Gauge({
    name: "vendetta_store_objects",
    help: "Objects in the store, by kind.",
    labelNames: ["kind"],
    registers,
    async collect() {
      for (const kind of kindNames) {
        const { items, remainingItemCount = 0 } = await store.list(kind, { limit: 1 });
        this.set({ kind }, items.length + remainingItemCount);
      }
    },
  });
  new Counter({
    name: "vendetta_store_writes_total",
    help: "Writes that changed the store since it was made: the resourceVersion it is at. Goes on over restarts.",
    registers,
    async collect() {
      const { resourceVersion } = await store.list("Namespace", { limit: 1 });
      this.reset();
      this.inc(Number(resourceVersion));
    },
  });
  for (const kind of ["Workspace", "Service"] as const) {
    new Gauge({
      name: `vendetta_${kind.toLowerCase()}s`,
      help: `${kind}s by the phase of their status; "Unknown" while they have none.`,
      labelNames: ["phase"],
      registers,
      async collect() {
        const counts = new Map<string, number>();
        for (const { status } of (await store.list(kind)).items) counts.set(status?.phase ?? "Unknown", (counts.get(status?.phase ?? "Unknown") ?? 0) + 1);
        this.reset();
        for (const [phase, count] of counts) this.set({ phase }, count);
      },
    });
  }
  new Gauge({
    name: "vendetta_nodes",
    help: "Nodes, by whether their condition Ready is true.",
    labelNames: ["ready"],
    registers,
    async collect() {
      const { items } = await store.list("Node");
      const ready = items.filter(({ status }) => isTrue(status?.conditions, "Ready")).length;
      this.set({ ready: "true" }, ready);
      this.set({ ready: "false" }, items.length - ready);
    },
  });
}

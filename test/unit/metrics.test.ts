import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededRandom } from "../../src/base/random.ts";
import { systemClock } from "../../src/base/system.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { machineReading } from "../../src/compose/instance-usage.ts";
import { createUsageMeter, type Reading } from "../../src/compose/usage-meter.ts";
import { usageFromStats } from "../../src/providers/docker/docker-usage.ts";
import { usageFromStat } from "../../src/providers/host/host-usage.ts";
import type { UsageSource } from "../../src/server/usage.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { createPodStore } from "../../src/store/pod-store.ts";
import { workspace } from "../conformance/store/fixture.ts";
import { testApp } from "./server-harness.ts";

describe("what an engine counts", () => {
  const stats = (memory: object) => ({ cpu_stats: { cpu_usage: { total_usage: 2_500_000_000 } }, memory_stats: memory }) as never;
  it("Docker: without what the kernel only caches, as cgroup v1 and v2 name it", () => {
    assert.deepEqual(usageFromStats(stats({ usage: 1000, stats: { inactive_file: 300 } })), { cpuSeconds: 2.5, memoryBytes: 700 });
    assert.deepEqual(usageFromStats(stats({ usage: 1000, stats: { total_inactive_file: 200, inactive_file: 1 } })), { cpuSeconds: 2.5, memoryBytes: 800 });
    assert.deepEqual(usageFromStats(stats({ usage: 1000 })), { cpuSeconds: 2.5, memoryBytes: 1000 });
    assert.equal(usageFromStats(stats({})), undefined);
  });
  it("processes: added up, whatever they are called", () => {
    const line = (name: string, user: number, system: number, pages: number) => `42 (${name}) S 1 42 42 0 -1 4194304 0 0 0 0 ${user} ${system} 0 0 20 0 1 0 100 1000000 ${pages} 18446744073709551615`;
    assert.deepEqual(usageFromStat(`${line("sh", 100, 50, 10)}\n${line("a) S 1 (b c", 200, 0, 5)}\nticks 100 page 4096\n`), { cpuSeconds: 3.5, memoryBytes: 15 * 4096 });
    assert.deepEqual(usageFromStat("ticks 100 page 4096\n"), { cpuSeconds: 0, memoryBytes: 0 });
  });
  it("a machine: without what it idles, and what it can give back", () => {
    assert.deepEqual(machineReading("cpu  100 10 50 9000 500 5 5 30 7 0\ncpu0 1 1 1 1\n", "MemTotal:       2000 kB\nMemFree: 1 kB\nMemAvailable:    500 kB\n"), { cpuSeconds: 2, memoryBytes: 1500 * 1024 });
  });
});

describe("a usage meter", () => {
  const setup = () => {
    const clock = createVirtualClock();
    let reads = 0;
    let reading: () => Reading | undefined = () => ({ cpuSeconds: clock.monotonic() / 2000, memoryBytes: 7 });
    const meter = createUsageMeter(clock);
    const measured = async (waitMs = 0) => {
      const asked = meter.of("x", () => {
        reads++;
        return Promise.resolve(reading());
      });
      await clock.advance(0);
      if (waitMs > 0) await clock.advance(waitMs);
      return await asked;
    };
    return { clock, measured, reads: () => reads, readsAs: (next: () => Reading | undefined) => (reading = next) };
  };
  it("takes two readings a second apart the first time, then one", async () => {
    const { clock, measured, reads } = setup();
    assert.deepEqual(await measured(1000), { cores: 0.5, memoryBytes: 7, atMs: clock.now(), windowMs: 1000 });
    assert.equal(reads(), 2);
    await clock.advance(15_000);
    assert.deepEqual(await measured(), { cores: 0.5, memoryBytes: 7, atMs: clock.now(), windowMs: 15_000 });
    assert.equal(reads(), 3);
  });
  it("answers from what it knows for some seconds", async () => {
    const { clock, measured, reads } = setup();
    const first = await measured(1000);
    await clock.advance(3000);
    assert.equal(await measured(), first);
    assert.equal(reads(), 2);
  });
  it("starts over when the counter went back, or too long ago", async () => {
    const { clock, measured, readsAs } = setup();
    await measured(1000);
    await clock.advance(10_000);
    const restartedAt = clock.monotonic();
    readsAs(() => ({ cpuSeconds: (clock.monotonic() - restartedAt) / 1000 - 1000, memoryBytes: 7 }));
    assert.equal((await measured(1000))!.cores, 1);
    await clock.advance(3_600_000);
    assert.equal((await measured(1000))!.windowMs, 1000);
  });
  it("says nothing of what does not run, and asks again after a failure", async () => {
    const { measured, readsAs } = setup();
    readsAs(() => {
      throw new Error("the engine is silent");
    });
    await assert.rejects(measured(), /silent/);
    readsAs(() => undefined);
    assert.equal(await measured(), undefined);
  });
});

describe("metrics.k8s.io", () => {
  const usage: UsageSource = {
    ofWorkspace: ({ name }) => Promise.resolve(name === "dev" ? { cores: 0.25, memoryBytes: 64 * 1024 * 1024, atMs: Date.UTC(2026, 0, 1), windowMs: 1025 } : undefined),
    ofNode: () => Promise.resolve({ cores: 1.5, memoryBytes: 1024 ** 3, atMs: Date.UTC(2026, 0, 1), windowMs: 15_000 }),
  };
  const setup = async (source: UsageSource | undefined = usage) => {
    const base = createMemoryStore({ clock: systemClock, random: seededRandom(1) });
    await base.create("Workspace", workspace("dev", { metadata: { labels: { app: "x" } } }));
    await base.create("Workspace", workspace("stopped"));
    const node = await base.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "n1" }, spec: { local: {} } } as never);
    await base.updateStatus("Node", { ...node, status: { capacity: { cpu: "2", memory: "2048Mi" } } });
    const { send } = testApp({ store: createPodStore(base, systemClock), usage: source });
    return async (path: string, method = "GET") => {
      const response = await send(method, path);
      return { code: response.status, body: (await response.json()) as any };
    };
  };
  const root = "/apis/metrics.k8s.io/v1beta1";

  it("tells what runs, and leaves out what does not", async () => {
    const get = await setup();
    for (const path of ["/pods", "/namespaces/default/pods", "/pods?labelSelector=app=x"]) {
      const { body } = await get(root + path);
      assert.deepEqual(body.items, [{
        kind: "PodMetrics", apiVersion: "metrics.k8s.io/v1beta1", metadata: { name: "dev", namespace: "default", labels: { app: "x" }, creationTimestamp: "2026-01-01T00:00:00Z" },
        timestamp: "2026-01-01T00:00:00Z", window: "1.025s", containers: [{ name: "workspace", usage: { cpu: "250000000n", memory: "65536Ki" } }],
      }]);
    }
    assert.equal((await get(`${root}/pods?labelSelector=app=y`)).body.items.length, 0);
    assert.equal((await get(`${root}/namespaces/default/pods/dev`)).body.kind, "PodMetrics");
    assert.match((await get(`${root}/namespaces/default/pods/stopped`)).body.message, /^podmetrics\.metrics\.k8s\.io "default\/stopped" not found$/);
    assert.equal((await get(`${root}/pods`, "DELETE")).code, 405);
  });
  it("tells of nodes, and what they have, without calling them core/v1's", async () => {
    const get = await setup();
    assert.deepEqual((await get(`${root}/nodes`)).body.items[0].usage, { cpu: "1500000000n", memory: "1048576Ki" });
    assert.equal((await get(`${root}/nodes/n1`)).body.kind, "NodeMetrics");
    assert.equal((await get(`${root}/nodes/n2`)).code, 404);
    assert.deepEqual((await get("/api/v1/nodes")).body.items[0].status.allocatable, { cpu: "2", memory: "2048Mi" });
    assert.ok(!(await get("/api/v1")).body.resources.some((each: any) => each.name === "nodes"));
    assert.deepEqual((await get(root)).body.resources.map((each: any) => each.name), ["nodes", "pods"]);
  });
});

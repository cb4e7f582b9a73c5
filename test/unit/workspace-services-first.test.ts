import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Service, ServiceStatus } from "../../src/api/service.ts";
import { serviceFinalizer } from "../../controllers/service/plan-down.ts";
import type { Run } from "../../controllers/service/supervisor.ts";
import { placingWorld } from "../harness/placing-world.ts";

const ref = { namespace: "default", name: "dev" };
const web = { namespace: "default", name: "web" };

/** A running Workspace with a Service that its own loop, which is the test, has taken on. `runs` is what the instance tells. */
async function servedWorld() {
  const runs: Run[] = [];
  const world = await placingWorld(["a"], {}, () => Promise.resolve([...runs]));
  const { store, clock } = world;
  await world.create("dev");
  const service = await store.create("Service", { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { ...web, finalizers: [serviceFinalizer] }, spec: { workspace: "dev", command: ["sleep", "1"] } } as never);
  await clock.advance(3000);
  const run: Run = { service: service.metadata.uid, number: 1, hash: "h", startedAtSeconds: 1, state: { kind: "running", pid: 7, stopRequestedAtSeconds: undefined } };
  runs.push(run);
  const tell = async (status: Partial<ServiceStatus>) => {
    const now: Service = await store.get("Service", web);
    await store.updateStatus("Service", { ...now, status: { ...now.status, ...status } });
    await clock.advance(100);
  };
  await tell({ phase: "Running", pid: 7 });
  const instance = () => [...world.engines.get("a")!.instances.values()][0];
  const message = async () => (await world.workspace("dev")).status?.conditions?.find(({ type }) => type === "Ready")?.message;
  return { ...world, runs, run, tell, instance, message };
}

describe("a Workspace that goes down, and a Service in it whose process has just ended", () => {
  it("deleted together: the instance stays until the Service's loop, which may still have to ask it something, has let go", async () => {
    const world = await servedWorld();
    try {
      await world.store.delete("Service", web);
      await world.store.delete("Workspace", ref);
      await world.clock.advance(100);
      world.runs.length = 0;
      await world.tell({ phase: "Stopping" });
      assert.equal(world.instance()?.state, "running");
      assert.equal(await world.message(), "waiting for its services to stop: web");
      const { metadata, ...rest } = await world.store.get("Service", web);
      await world.store.update("Service", { ...rest, metadata: { ...metadata, finalizers: [] } });
      await world.clock.advance(100);
      assert.equal(world.instance(), undefined);
    } finally {
      await world.end();
    }
  });

  it("stopped: the instance stays until the Service says that it is", async () => {
    const world = await servedWorld();
    try {
      await world.store.patch("Workspace", ref, { type: "merge", patch: { spec: { state: "Stopped" } } });
      world.runs[0] = { ...world.run, state: { kind: "exited", code: 143, atSeconds: 2, stopRequested: true } };
      await world.tell({ phase: "Stopping" });
      assert.equal(world.instance()?.state, "running");
      await world.tell({ phase: "Stopped" });
      assert.equal(world.instance()?.state, "stopped");
    } finally {
      await world.end();
    }
  });

  it("put back to a snapshot: its services are waited for as well", async () => {
    const world = await servedWorld();
    try {
      await world.store.patch("Workspace", ref, { type: "merge", patch: { spec: { snapshots: [{ name: "before" }] } } });
      await world.clock.advance(1000);
      const { startId } = world.instance()!;
      await world.store.patch("Workspace", ref, { type: "merge", patch: { spec: { restore: { snapshot: "before", request: 1 } } } });
      await world.clock.advance(1000);
      assert.deepEqual([world.instance()?.startId, await world.message()], [startId, "waiting for its services to stop: web"]);
      world.runs.length = 0;
      await world.tell({ phase: "Stopped" });
      await world.clock.advance(3000);
      assert.equal((await world.workspace("dev")).status?.restored?.request, 1);
      assert.notEqual(world.instance()?.startId, startId);
    } finally {
      await world.end();
    }
  });

  it("one whose loop has not taken it on is not waited for, and one that never says so only for its time", async () => {
    const world = await servedWorld();
    try {
      await world.store.create("Service", { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { ...web, name: "new" }, spec: { workspace: "dev", command: ["sleep", "1"] } } as never);
      world.runs.length = 0;
      await world.store.patch("Workspace", ref, { type: "merge", patch: { spec: { state: "Stopped" } } });
      await world.clock.advance(5000);
      assert.deepEqual([world.instance()?.state, await world.message()], ["running", "waiting for its services to stop: web"]);
      await world.clock.advance(20_000);
      assert.equal(world.instance()?.state, "stopped");
    } finally {
      await world.end();
    }
  });
});

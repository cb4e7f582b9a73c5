import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import type { Workspace, WorkspaceStatus } from "../../src/api/workspace.ts";
import type { Instance, Provider } from "../../src/providers/provider.ts";
import { TransportError } from "../../src/transports/transport.ts";
import { createInstances } from "../../controllers/instances.ts";
import { locate } from "../../controllers/service/locate.ts";
import type { ServiceControllerParts } from "../../controllers/service/parts.ts";
import { storedObject } from "../harness/objects.ts";

const started: WorkspaceStatus = { phase: "Running", nodeName: "n1", instanceId: "i1", startId: "s1" };
const workspaceWith = (status: WorkspaceStatus, metadata: object = {}) => storedObject("Workspace", "dev", { provider: "qemu", image: "/disk.img" }, { metadata, status });
const givenUp = workspaceWith({ phase: "Deleting", nodeName: "n1", instanceId: "i1" }, { deletionTimestamp: "2026-01-01T00:00:00Z" });
const alive = storedObject("Service", "web", { workspace: "dev", command: ["web"] }, { status: { phase: "Stopping", pid: 7 } });

/** A Service's look at an instance that the engine says is so, whose control stream closes as `meanwhile` becomes of its Workspace. */
function look(first: Workspace, meanwhile: Workspace | undefined, state: Instance["state"], service = alive) {
  let workspace: Workspace | undefined = first;
  const instance = { id: "i1", state, startId: "s1" } as Instance;
  const provider = { name: "qemu", inspect: () => Promise.resolve(instance) } as unknown as Provider;
  const runs = () => {
    workspace = meanwhile;
    return Promise.reject(new TransportError("the control stream was closed", true));
  };
  const parts = {
    clock: createVirtualClock(), instances: createInstances(), machines: { of: () => ({ provider: () => provider }) },
    nodes: { get: () => storedObject("Node", "n1", { local: {} }) }, workspaces: { get: () => workspace }, supervisors: { of: () => ({ runs }) },
  } as unknown as ServiceControllerParts;
  return locate(parts, service, new AbortController().signal);
}

describe("where a Service runs, when its instance's control stream closes under the question", () => {
  it("as its Workspace's loop stops the instance: it is ending, and not unknown", async () => {
    const place = await look(workspaceWith(started), givenUp, "running");
    assert.deepEqual([place.runs, place.workspace], [{ kind: "ending" }, givenUp]);
  });
  it("and the instance has ended by the time that is looked: nothing runs", async () => {
    assert.deepEqual((await look(workspaceWith(started), givenUp, "stopped")).runs, { kind: "none" });
  });
  it("and its Workspace is gone: nothing runs", async () => {
    assert.deepEqual(await look(workspaceWith(started), undefined, "running"), { workspace: undefined, runs: { kind: "none" } });
  });
  it("with nobody stopping the instance: unknown, and why", async () => {
    const running = workspaceWith(started);
    assert.deepEqual((await look(running, running, "running")).runs, { kind: "unknown", reason: "SupervisorUnreachable", message: "the control stream was closed" });
  });
});

describe("where a Service runs, when its Workspace's loop has begun to stop the instance", () => {
  it("one that had ended before has nothing there, and no engine is asked", async () => {
    const down = storedObject("Service", "web", { workspace: "dev", command: ["web"] }, { status: { phase: "Stopped" } });
    assert.deepEqual(await look(givenUp, givenUp, "running", down), { workspace: givenUp, runs: { kind: "none" } });
  });
  it("one that was alive goes with it", async () => {
    assert.deepEqual((await look(givenUp, givenUp, "paused")).runs, { kind: "ending" });
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCondition } from "../../src/api/conditions.ts";
import type { Service, ServiceStatus } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { planService } from "../../controllers/service/plan.ts";
import { serviceFinalizer } from "../../controllers/service/plan-down.ts";
import { restartDelayMs, settleMs } from "../../controllers/service/restart-delay.ts";
import type { ServiceObservation } from "../../controllers/service/service-observation.ts";
import type { ServicePlan } from "../../controllers/service/service-plan.ts";
import type { Run } from "../../controllers/service/supervisor.ts";
import { storedObject } from "../harness/objects.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);
const nowSeconds = nowMs / 1000;

const readyWorkspace: Workspace = storedObject("Workspace", "dev", { provider: "docker", image: "busybox" }, {
  status: { phase: "Running", startId: "s1", nodeName: "n1", instanceId: "i1", ports: [{ port: 80, nodePort: 20080, via: "Engine" }], conditions: [{ type: "Ready", status: "True", reason: "Running", message: "runs", lastTransitionTime: "2026-01-01T00:00:00Z" }] },
});
const service = (spec: object = {}, status?: Partial<ServiceStatus>, metadata: object = {}): Service =>
  storedObject("Service", "web", { workspace: "dev", command: ["web"], ...spec }, { metadata: { finalizers: [serviceFinalizer], ...metadata }, ...(status ? { status } : {}) });
const dependency = (ready: "True" | "False"): Service =>
  storedObject("Service", "db", { workspace: "dev", command: ["db"] }, { status: { phase: ready === "True" ? "Running" : "Starting", conditions: [{ type: "Ready", status: ready, reason: "R", message: "port 5432 refused", lastTransitionTime: "2026-01-01T00:00:00Z" }] } });
const running = (more: Partial<Run> = {}, stopRequestedAtSeconds?: number): Run => ({ service: "uid-web", number: 1, hash: "h", startedAtSeconds: nowSeconds - 5, state: { kind: "running", pid: 42, stopRequestedAtSeconds }, ...more });
const exited = (code: number | undefined, more: { readonly stopRequested?: boolean; readonly atSeconds?: number; readonly startedAtSeconds?: number; readonly number?: number } = {}): Run => ({
  service: "uid-web", number: more.number ?? 1, hash: "h", startedAtSeconds: more.startedAtSeconds ?? nowSeconds - 5,
  state: { kind: "exited", code, atSeconds: more.atSeconds ?? nowSeconds, stopRequested: more.stopRequested ?? false },
});
const seen = (more: Partial<ServiceObservation> = {}): ServiceObservation => ({
  workspace: readyWorkspace, runs: { kind: "known", latest: undefined }, health: { state: "pending", message: "not checked yet" }, hash: "h",
  dependencies: new Map(), withoutAddress: [], noWayTo: new Map(), dependentsStopping: [], now: nowMs, ...more,
});
const latest = (run: Run) => ({ runs: { kind: "known", latest: run } as const });
const steps = (plan: ServicePlan) => plan.steps.map((step) => (step.do === "signal" ? `${step.do} ${step.name}` : step.do === "start" ? `start ${step.why}` : step.do));
const ready = (plan: ServicePlan) => findCondition(plan.conditions.map((each) => ({ ...each, lastTransitionTime: "" })), "Ready")!;

type Row = readonly [what: string, service: Service, seen: ServiceObservation, steps: readonly string[], phase: string, reason: string];
const deleting = { deletionTimestamp: "2026-01-01T11:59:59Z", generation: 2 };
const table: readonly Row[] = [
  ["a new Service gets its finalizer first", service({}, undefined, { finalizers: [] }), seen(), ["adopt"], "Pending", "Pending"],
  ["no workspace: says which is missing", service(), seen({ workspace: undefined, runs: { kind: "none" } }), [], "Pending", "WorkspaceNotFound"],
  ["a workspace that does not run yet is waited for", service(), seen({ runs: { kind: "none" } }), [], "Waiting", "WorkspaceNotReady"],
  ["an instance that cannot be asked makes it Unknown, not absent", service(), seen({ runs: { kind: "unknown", reason: "SupervisorUnreachable", message: "timed out" } }), [], "Unknown", "SupervisorUnreachable"],
  ["no dependency: started", service(), seen(), ["start First"], "Starting", "Started"],
  ["an unmet dependency is waited for", service({ dependsOn: [{ name: "db" }] }), seen({ dependencies: new Map([["db", dependency("False")]]) }), [], "Waiting", "DependenciesNotReady"],
  ["a missing dependency is waited for", service({ dependsOn: [{ name: "db" }] }), seen(), [], "Waiting", "DependenciesNotReady"],
  ["a met dependency lets it start", service({ dependsOn: [{ name: "db" }] }), seen({ dependencies: new Map([["db", dependency("True")]]) }), ["start First"], "Starting", "Started"],
  ["a met dependency that nothing leads to holds up a start", service({ dependsOn: [{ name: "db" }] }), seen({ dependencies: new Map([["db", dependency("True")]]), noWayTo: new Map([["db", "its port is taken"]]) }), [], "Waiting", "DependenciesNotReady"],
  ["a way that is lost while running stops nothing", service({ dependsOn: [{ name: "db" }] }), seen({ ...latest(running()), health: { state: "healthy", message: "ok" }, dependencies: new Map([["db", dependency("True")]]), noWayTo: new Map([["db", "cut"]]) }), [], "Running", "Healthy"],
  ["running and healthy is Ready and needs nothing", service(), seen({ ...latest(running()), health: { state: "healthy", message: "ok" } }), [], "Running", "Healthy"],
  ["running but not healthy yet", service(), seen(latest(running())), [], "Starting", "HealthCheckPending"],
  ["a dependency lost while running stops nothing", service({ dependsOn: [{ name: "db" }] }), seen({ ...latest(running()), health: { state: "healthy", message: "ok" } }), [], "Running", "Healthy"],
  ["unhealthy: asked to stop", service(), seen({ ...latest(running()), health: { state: "unhealthy", message: "GET answered 500" } }), ["signal TERM"], "Stopping", "Unhealthy"],
  ["unhealthy with policy Never: left running, said", service({ restartPolicy: "Never" }), seen({ ...latest(running()), health: { state: "unhealthy", message: "x" } }), [], "Unhealthy", "Unhealthy"],
  ["another wish: the old run is asked to stop", service(), seen({ ...latest(running({ hash: "old" })) }), ["signal TERM"], "Stopping", "Changed"],
  ["asked to stop, within its grace: waited for", service(), seen(latest(running({ hash: "old" }, nowSeconds - 5))), [], "Stopping", "Changed"],
  ["asked to stop, grace over: killed", service(), seen(latest(running({ hash: "old" }, nowSeconds - 12))), ["signal KILL"], "Stopping", "Changed"],
  ["the old run has ended: the new wish starts", service(), seen({ ...latest(exited(0, { stopRequested: true })), hash: "new" }), ["start Changed"], "Starting", "Started"],
  ["first failure: started again at once", service(), seen(latest(exited(1))), ["start Restart"], "Starting", "Started"],
  ["second failure in a row: back-off", service({}, { failures: 1, runNumber: 1 }), seen(latest(exited(1, { number: 2 }))), [], "CrashLoopBackOff", "CrashLoopBackOff"],
  ["back-off over: started again", service({}, { failures: 2, runNumber: 2, instanceStartId: "s1", lastExit: { reason: "Error", code: 1 } }), seen(latest(exited(1, { number: 2, atSeconds: nowSeconds - 2 }))), ["start Restart"], "Starting", "Started"],
  ["a long run wipes out old failures", service({}, { failures: 5, runNumber: 1 }), seen(latest(exited(1, { number: 2, startedAtSeconds: nowSeconds - 120 }))), ["start Restart"], "Starting", "Started"],
  ["OnFailure, exit 0: completed", service({ restartPolicy: "OnFailure" }), seen(latest(exited(0))), [], "Completed", "Completed"],
  ["OnFailure, exit 1: again", service({ restartPolicy: "OnFailure" }), seen(latest(exited(1))), ["start Restart"], "Starting", "Started"],
  ["Never, exit 1: failed", service({ restartPolicy: "Never" }), seen(latest(exited(1))), [], "Failed", "Error"],
  ["Always, exit 0: again", service(), seen(latest(exited(0))), ["start Restart"], "Starting", "Started"],
  ["a restart waits for dependencies as a start does", service({ dependsOn: [{ name: "db" }] }), seen({ ...latest(exited(1)), dependencies: new Map([["db", dependency("False")]]) }), [], "Waiting", "DependenciesNotReady"],
  ["deleting, running: asked to stop", service({}, undefined, deleting), seen(latest(running())), ["signal TERM"], "Stopping", "Deleted"],
  ["deleting, dependents still stopping: waits for them", service({}, undefined, deleting), seen({ ...latest(running()), dependentsStopping: ["api"] }), [], "Stopping", "Deleted"],
  ["deleting, ended: cleaned up and let go", service({}, undefined, deleting), seen(latest(exited(0, { stopRequested: true }))), ["forget", "finish"], "Stopped", "Deleted"],
  ["deleting, no instance: let go", service({}, undefined, deleting), seen({ runs: { kind: "none" } }), ["finish"], "Stopped", "Deleted"],
  ["deleting, nobody answers: not let go", service({}, undefined, deleting), seen({ runs: { kind: "unknown", reason: "SupervisorUnreachable", message: "x" } }), [], "Unknown", "SupervisorUnreachable"],
  ["its workspace is to stop: asked to stop", service(), seen({ ...latest(running()), workspace: { ...readyWorkspace, spec: { ...readyWorkspace.spec, state: "Stopped" } } }), ["signal TERM"], "Stopping", "WorkspaceStopped"],
  ["its workspace is moved: asked to stop", service(), seen({ ...latest(running()), workspace: { ...readyWorkspace, status: { ...readyWorkspace.status, phase: "Moving" } } }), ["signal TERM"], "Stopping", "WorkspaceMoved"],
  ["its workspace stops as its Node is drained: asked to stop", service(), seen({ ...latest(running()), workspace: { ...readyWorkspace, status: { ...readyWorkspace.status, phase: "Stopping" } } }), ["signal TERM"], "Stopping", "WorkspaceStopped"],
  ["its workspace is stopped: stopped", service(), seen({ runs: { kind: "none" }, workspace: { ...readyWorkspace, spec: { ...readyWorkspace.spec, state: "Stopped" } } }), [], "Stopped", "WorkspaceStopped"],
  ["its workspace is on its way down, nobody answers: what was stopped stays so", service({}, { phase: "Stopped" }), seen({ runs: { kind: "unknown", reason: "SupervisorUnreachable", message: "x" }, workspace: { ...readyWorkspace, spec: { ...readyWorkspace.spec, state: "Stopped" } } }), [], "Stopped", "WorkspaceStopped"],
  ["its workspace is being stopped and it was not seen to end: goes with it", service({}, { phase: "Stopping", pid: 42 }), seen({ runs: { kind: "ending" }, workspace: { ...readyWorkspace, spec: { ...readyWorkspace.spec, state: "Stopped" } } }), [], "Stopping", "WorkspaceStopped"],
  ["deleting, and so with its workspace: not let go before the instance has ended", service({}, { phase: "Unknown", pid: 42 }, deleting), seen({ runs: { kind: "ending" } }), [], "Stopping", "Deleted"],
  ["its workspace was started anew: a restart", service({}, { phase: "Running", instanceStartId: "s0", startedAt: "2026-01-01T00:00:00Z", pid: 9 }), seen(), ["start Restart"], "Starting", "Started"],
];

describe("planService", () => {
  for (const [what, wish, observed, wanted, phase, reason] of table) {
    it(what, () => {
      const plan = planService(wish, observed);
      assert.deepEqual(steps(plan), wanted);
      assert.equal(plan.status.phase, phase);
      assert.equal(ready(plan).reason, reason);
    });
  }

  it("names what is waited for, and how far that is", () => {
    const plan = planService(service({ dependsOn: [{ name: "db" }] }), seen({ dependencies: new Map([["db", dependency("False")]]) }));
    assert.equal(ready(plan).message, 'waiting for "db" to be Ready (it is Starting)');
  });
  it("counts one end once", () => {
    const first = planService(service({}, { failures: 1, runNumber: 1, pid: 5 }), seen(latest(exited(1, { number: 2 }))));
    assert.equal(first.status.failures, 2);
    const second = planService(service({}, { ...first.status, instanceStartId: "s1" }), seen(latest(exited(1, { number: 2 }))));
    assert.equal(second.status.failures, 2);
  });
  it("tells of an end when that run began, also when nobody saw the end", () => {
    const began = "2026-01-01T11:59:00Z";
    const { status } = planService(service(), seen(latest(exited(1, { startedAtSeconds: nowSeconds - 60 }))));
    assert.equal(status.lastExit?.startedAt, began);
    const anew = planService(service({}, { runNumber: 1, instanceStartId: "s0", startedAt: began, phase: "Running" }), seen());
    assert.deepEqual([anew.status.lastExit?.reason, anew.status.lastExit?.startedAt], ["WorkspaceRestarted", began]);
  });
  it("counts a stop for bad health as a failure, and says so", () => {
    const plan = planService(service({}, { runNumber: 1, pid: 42, lastExit: { reason: "Unhealthy", message: "GET answered 500" } }), seen(latest(exited(143, { stopRequested: true }))));
    assert.equal(plan.status.failures, 1);
    assert.equal(plan.status.lastExit?.reason, "Unhealthy");
    assert.deepEqual(steps(plan), ["start Restart"]);
  });
  it("tells its endpoints from the workspace's recorded ports", () => {
    const plan = planService(service({ port: 80 }), seen());
    assert.deepEqual(plan.status.endpoints, [{ name: "main", port: 80, nodePort: 20080, url: "http://127.0.0.1:20080" }]);
  });
  it("looks again itself when the workspace is said to run and nothing in it can be asked", () => {
    assert.equal(planService(service(), seen({ runs: { kind: "none" } })).afterMs, 3000);
  });
  it("lets what nobody checks settle: a second, longer after failures, not at all when it has long been there", () => {
    assert.equal(settleMs(nowMs, 0, nowMs), 1000);
    assert.equal(settleMs(nowMs, 4, nowMs), 4000);
    assert.equal(settleMs(nowMs, 50, nowMs), 10_000);
    assert.equal(settleMs(nowMs - 1000, 0, nowMs), 1000, "what is on record may be a second too early");
    assert.equal(settleMs(nowMs - 2000, 0, nowMs), 0);
    assert.equal(settleMs(nowMs - 60_000, 50, nowMs), 0);
  });
  it("waits 0, 1, 2, 4 … 60 seconds", () => {
    assert.deepEqual([1, 2, 3, 4, 7, 8, 50].map((failures) => restartDelayMs(failures) / 1000), [0, 1, 2, 4, 32, 60, 60]);
  });
});

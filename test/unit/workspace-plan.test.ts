import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Workspace, WorkspaceStatus } from "../../src/api/workspace.ts";
import type { Instance } from "../../src/providers/provider.ts";
import { planWorkspace, workspaceFinalizer } from "../../controllers/workspace/plan.ts";
import type { WorkspaceObservation, WorkspacePlan } from "../../controllers/workspace/workspace-plan.ts";
import { diskSizesOf, specHashOf } from "../../controllers/workspace/instance-spec.ts";
import { storedObject } from "../harness/objects.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);
const workspace = (spec: object = {}, status: Partial<WorkspaceStatus> = {}, metadata: object = {}): Workspace =>
  storedObject("Workspace", "dev", { provider: "docker", image: "busybox", ...spec }, { metadata: { finalizers: [workspaceFinalizer], ...metadata }, status: { nodeName: "n1", instanceId: "i1", ...status } });
const instance = (state: Instance["state"], more: Partial<Instance> = {}): Instance => ({
  id: "i1", owner: { cluster: "c", uid: "uid-dev", namespace: "default", name: "dev" }, generation: 1, specHash: "h", state,
  startId: state === "running" ? "s1" : undefined, startedAt: undefined, exitCode: undefined, outOfMemory: false, address: undefined, ports: [], runDir: "/run/vendetta", problems: [], ...more,
});
const seen = (found: Instance | undefined, more: Partial<WorkspaceObservation> = {}): WorkspaceObservation => ({
  instance: { kind: "known", instance: found }, specHash: "h", difference: "its spec has changed", running: { names: [], graceSeconds: 0 }, now: nowMs, ...more,
});
const steps = (plan: WorkspacePlan) => plan.steps.map((step) => (step.do === "announce" ? `announce ${step.reason}` : step.do === "destroy" ? `destroy${step.volumes ? " with volumes" : ""}` : step.do));
const stopped = { state: "Stopped" };
const deleting = { deletionTimestamp: "2026-01-01T11:59:58Z", generation: 2 };
const drained = { eviction: { kind: "stop", reason: "NodeDrained", why: 'Node "n1" is drained' } } as const;
const moved = { eviction: { ...drained.eviction, kind: "move" } } as const;
const left = { leftBehind: [{ nodeName: "n0", instanceId: "i1", since: "2026-01-01T00:00:00Z" }] };
const small = { disks: { own: 10, more: { data: 5, gone: 5 } } };
const ended = { end: { lastLines: [] } };
const busy = { running: { names: ["web"], graceSeconds: 10 } };

type Row = readonly [what: string, workspace: Workspace, seen: WorkspaceObservation, steps: readonly string[], phase: string];
const table: readonly Row[] = [
  ["nothing there: made", workspace(), seen(undefined), ["create"], "Creating"],
  ["made, not started: started", workspace(), seen(instance("created")), ["start"], "Starting"],
  ["running: nothing to do", workspace(), seen(instance("running")), [], "Running"],
  ["vanished: said, and made anew", workspace({}, { startId: "s1", phase: "Running" }), seen(undefined), ["announce InstanceLost", "create"], "Creating"],
  ["ended by itself: said, and started again", workspace({}, { startId: "s1", phase: "Running" }), seen(instance("stopped", { exitCode: 137 }), ended), ["announce InstanceEnded", "start"], "Starting"],
  ["paused by somebody: said, and let go on", workspace({}, { startId: "s1", phase: "Running" }), seen(instance("paused", { startId: "s1" })), ["announce Paused", "start"], "Starting"],
  ["paused and to be stopped: goes on first, so that its services stop in order", workspace(stopped), seen(instance("paused")), ["announce Paused", "start"], "Starting"],
  ["deleting, paused: removed", workspace({}, {}, deleting), seen(instance("paused")), ["destroy with volumes", "finish"], "Deleting"],
  ["broken: said and removed, volumes stay", workspace(), seen(instance("broken", { problems: ["no rootfs"] })), ["announce Broken", "destroy"], "Recreating"],
  ["not answered: nothing is concluded", workspace({}, { startId: "s1" }), { ...seen(undefined), instance: { kind: "unknown", reason: "EngineUnreachable", message: "refused" } }, [], "Unknown"],
  ["another spec: said before anything happens", workspace(), seen(instance("running", { specHash: "old" })), ["announce Recreating"], "Recreating"],
  ["then its services are waited for", workspace({}, { phase: "Recreating" }), seen(instance("running", { specHash: "old" }), busy), [], "Recreating"],
  ["then it is stopped and removed, volumes stay", workspace({}, { phase: "Recreating" }), seen(instance("running", { specHash: "old" })), ["stop", "destroy"], "Recreating"],
  ["then made: not counted as lost", workspace({}, { phase: "Recreating", startId: "s1" }), seen(undefined), ["create"], "Creating"],
  ["to be stopped: services first", workspace(stopped), seen(instance("running"), busy), [], "Stopping"],
  ["to be stopped: stopped", workspace(stopped), seen(instance("running")), ["stop"], "Stopping"],
  ["stopped: nothing to do", workspace(stopped), seen(instance("stopped")), [], "Stopped"],
  ["stopped with another spec: nothing until it runs again", workspace(stopped), seen(instance("stopped", { specHash: "old" })), [], "Stopped"],
  ["a disk holds less than is wished: made larger while it runs", workspace({}, { phase: "Running" }), seen(instance("running", { disks: { own: 9, more: {} } }), small), ["growDisks"], "Running"],
  ["a disk beside it holds less, and it does not run: before its start", workspace(), seen(instance("stopped", { disks: { own: 10, more: { data: 4 } } }), small), ["growDisks"], "Pending"],
  ["disks that hold more, or are not there, are left alone", workspace(), seen(instance("running", { disks: { own: 11, more: { data: 5 } } }), small), [], "Running"],
  ["a disk of which nobody tells is left alone", workspace(), seen(instance("running", { disks: { own: undefined, more: {} } }), small), [], "Running"],
  ["to be stopped, and a disk holds less: stopped first", workspace(stopped), seen(instance("running", { disks: { own: 9, more: {} } }), small), ["stop"], "Stopping"],
  ["stopped, and a disk holds less: made larger", workspace(stopped, { phase: "Stopped" }), seen(instance("stopped", { disks: { own: 9, more: {} } }), small), ["growDisks"], "Stopped"],
  ["another spec, and a disk holds less: it is made anew as wished", workspace({}, { phase: "Recreating" }), seen(instance("stopped", { specHash: "old", disks: { own: 9, more: {} } }), small), ["destroy"], "Recreating"],
  ["never made and to be stopped: nothing to do", workspace(stopped), seen(undefined), [], "Stopped"],
  ["its Node is drained: services first", workspace(), seen(instance("running"), { ...busy, ...drained }), [], "Stopping"],
  ["its Node is drained: stopped", workspace(), seen(instance("running"), drained), ["stop"], "Stopping"],
  ["its Node is drained: not made there", workspace(), seen(undefined, drained), [], "Stopped"],
  ["to be moved: said before anything happens", workspace(), seen(instance("running"), { ...busy, ...moved }), ["announce Moving"], "Moving"],
  ["then its services are waited for", workspace({}, { phase: "Moving" }), seen(instance("running"), { ...busy, ...moved }), [], "Moving"],
  ["then it is removed, volumes stay", workspace({}, { phase: "Moving" }), seen(instance("running"), moved), ["stop", "destroy"], "Moving"],
  ["then it is placed elsewhere", workspace({}, { phase: "Moving" }), seen(undefined, moved), ["move"], "Moving"],
  ["paused and to be moved: goes on first", workspace(), seen(instance("paused"), moved), ["announce Paused", "start"], "Starting"],
  ["deleting, with something left on another Node: gone here, and not let go", workspace({}, left, deleting), seen(instance("running")), ["stop", "destroy"], "Deleting"],
  ["deleting, and only that is left: waits, and calls no engine", workspace({}, left, deleting), seen(undefined), [], "Deleting"],
  ["deleting: services first", workspace({}, {}, deleting), seen(instance("running"), busy), [], "Deleting"],
  ["deleting: services that do not end hold it only so long", workspace({}, {}, { ...deleting, deletionTimestamp: "2026-01-01T11:59:00Z" }), seen(instance("running"), busy), ["stop", "destroy with volumes", "finish"], "Deleting"],
  ["deleting: stopped, removed with volumes, let go", workspace({}, {}, deleting), seen(instance("running")), ["stop", "destroy with volumes", "finish"], "Deleting"],
  ["deleting, already gone: volumes may be left", workspace({}, {}, deleting), seen(undefined), ["destroy with volumes", "finish"], "Deleting"],
  ["deleting, not answered: not let go", workspace({}, {}, deleting), { ...seen(undefined), instance: { kind: "unknown", reason: "EngineUnreachable", message: "refused" } }, [], "Unknown"],
];

describe("planWorkspace", () => {
  for (const [what, wish, observed, wanted, phase] of table) {
    it(what, () => {
      const plan = planWorkspace(wish, observed);
      assert.deepEqual(steps(plan), wanted);
      assert.equal(plan.status.phase, phase);
    });
  }
  it("moves observedGeneration only when the world agrees (INV-7)", () => {
    for (const [, wish, observed] of table) {
      const plan = planWorkspace(wish, observed);
      const agrees = (plan.status.phase === "Running" || plan.status.phase === "Stopped") && plan.steps.length === 0;
      assert.equal(plan.status.observedGeneration !== undefined, agrees);
    }
  });
  it("counts what came back unasked, and only that", () => {
    assert.equal(planWorkspace(workspace({}, { startId: "s1", restarts: 2 }), seen(undefined)).status.restarts, 3);
    assert.equal(planWorkspace(workspace({}, { restarts: 2 }), seen(undefined)).status.restarts, undefined);
  });
  it("makes an instance anew for a disk's size only where the engine cannot change that", () => {
    const machine = (disk: string, size: string) => storedObject("Workspace", "dev", { provider: "qemu", image: "/img", resources: { disk }, qemu: { disks: [{ name: "data", size }] } });
    const able = { growDisks: () => Promise.resolve() };
    assert.equal(specHashOf(machine("10Gi", "1Gi"), able), specHashOf(machine("20Gi", "2Gi"), able));
    assert.notEqual(specHashOf(machine("10Gi", "1Gi"), {}), specHashOf(machine("20Gi", "1Gi"), {}));
    assert.notEqual(specHashOf(machine("10Gi", "1Gi"), {}), specHashOf(machine("10Gi", "2Gi"), {}));
    assert.notEqual(specHashOf(machine("10Gi", "1Gi"), able), specHashOf(storedObject("Workspace", "dev", { provider: "qemu", image: "/img", resources: { disk: "10Gi" } }), able), "another disk is another machine");
    assert.deepEqual(diskSizesOf(machine("10Gi", "1Gi")), { own: 10 * 1024 ** 3, more: { data: 1024 ** 3 } });
  });
  it("is not Ready before somebody could come in, and waits for no start that is on record", () => {
    const early = { awaitsEntry: true } as const;
    const entering = planWorkspace(workspace(), seen(instance("running", early)));
    assert.deepEqual([entering.status.phase, entering.condition.status, entering.steps.map((step) => step.do)], ["Starting", "False", ["start"]]);
    assert.equal(entering.status.restarts, undefined, "that is no restart");
    const { startId } = instance("running");
    assert.deepEqual(planWorkspace(workspace({}, { startId, phase: "Running" }), seen(instance("running", early))).steps, []);
    assert.deepEqual(planWorkspace(workspace({}, { startId: "earlier", phase: "Running" }), seen(instance("running", early))).steps.map((step) => step.do), ["start"]);
  });
  it("names what re-creation keeps", () => {
    const plan = planWorkspace(workspace({ mounts: [{ path: "/data", volume: "data" }, { path: "/scratch", tmpfs: {} }] }), seen(instance("running", { specHash: "old" })));
    assert.match(plan.condition.message, /kept: \/data; everything else in it is lost/);
  });
});

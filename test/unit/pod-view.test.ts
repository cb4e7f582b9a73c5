import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { podCells } from "../../src/api/pod-cells.ts";
import { podKind } from "../../src/api/pod-kind.ts";
import type { Pod } from "../../src/api/pod.ts";
import { containerTarget, podOf, podUid, workspaceUid } from "../../src/api/pod-of.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { storedObject } from "../harness/objects.ts";

const now = Date.parse("2026-01-01T01:00:00Z");
const ready = (status: string, reason: string, message = "") => ({ type: "Ready", status, reason, message, lastTransitionTime: "2026-01-01T00:10:00Z" });
const running = { phase: "Running", nodeName: "n1", instanceId: "vendetta-x-y", startId: "1", startedAt: "2026-01-01T00:05:00.123456Z", address: "10.0.0.2", conditions: [ready("True", "Running")] };

function workspaceWith(status: object | undefined, spec: object = {}, metadata: object = {}): Workspace {
  return storedObject("Workspace", "dev", { provider: "docker", image: "node:20", ...spec }, { metadata, ...(status === undefined ? {} : { status }) });
}
function serviceWith(name: string, status?: object, spec: object = {}): Service {
  return storedObject("Service", name, { workspace: "dev", command: ["run", name], ...spec }, status === undefined ? {} : { status });
}
const healthy = (more: object = {}) => ({ phase: "Running", pid: 7, startedAt: "2026-01-01T00:06:00Z", conditions: [ready("True", "Healthy")], ...more });
const pod = (workspace: Workspace, ...services: Service[]): Pod => podOf(workspace, services, "9");
const row = (of: Pod): string => podCells(of, now).slice(0, 3).join(" ");
const statusOf = (of: Pod, name: string) => of.status.containerStatuses!.find((each) => each.name === name)!;
const conditionOf = (of: Pod, type: string) => of.status.conditions.find((each) => each.type === type);

describe("a Workspace as a Pod", () => {
  it("has its Services by name as containers, then its shell", () => {
    const of = pod(workspaceWith(running), serviceWith("web"), serviceWith("api"));
    assert.deepEqual(of.spec.containers.map((each) => each.name), ["api", "web", "workspace"]);
    assert.deepEqual(containerTarget(of, "api"), { kind: "Service", name: "api" });
    assert.deepEqual(containerTarget(of, "workspace"), { kind: "Workspace" });
    assert.equal(containerTarget(of, "nobody"), undefined);
  });
  it("keeps the shell apart from a Service of its name", () => {
    const of = pod(workspaceWith(running), serviceWith("workspace"), serviceWith("workspace-shell"));
    assert.deepEqual(of.spec.containers.map((each) => each.name), ["workspace", "workspace-shell", "workspace-shell-shell"]);
    assert.deepEqual(containerTarget(of, "workspace"), { kind: "Service", name: "workspace" });
  });
  it("is owned by the Workspace, has its labels, and an identity of its own that leads back", () => {
    const uid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const { metadata } = pod(workspaceWith(running, {}, { uid, labels: { app: "shop" }, annotations: { note: "x", "kubectl.kubernetes.io/last-applied-configuration": "{}" } }));
    assert.deepEqual([metadata.name, metadata.namespace, metadata.labels, metadata.annotations], ["dev", "default", { app: "shop" }, { note: "x" }]);
    assert.deepEqual(metadata.ownerReferences, [{ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", name: "dev", uid, controller: true, blockOwnerDeletion: true }]);
    assert.equal(metadata.uid, "0f8fad5b-d9cb-869f-a165-70867728950e");
    for (const each of [uid, "uid-dev"]) {
      const all = [...Array(9).keys()].map((recreation) => podUid(each, recreation));
      for (const pod of all) assert.equal(workspaceUid(pod), each);
      for (const [i, pod] of all.entries()) assert.ok(pod !== each && pod !== all[i + 1]);
    }
  });
  it("tells what a container runs, with the Workspace's environment under its own, and where its ports answer", () => {
    const of = pod(
      workspaceWith({ ...running, ports: [{ port: 80, nodePort: 20001, via: "Engine" }] }, { env: { A: "1", B: "1" }, workingDir: "/src" }),
      serviceWith("web", undefined, { env: { B: "2" }, port: 80 }),
    );
    assert.deepEqual(of.spec.containers[0], {
      name: "web", image: "node:20", imagePullPolicy: "IfNotPresent", command: ["run", "web"], workingDir: "/src",
      ports: [{ name: "main", containerPort: 80, hostPort: 20001, protocol: "TCP" }], env: [{ name: "A", value: "1" }, { name: "B", value: "2" }], resources: {},
    });
  });
  it("tells bounds as limits", () => {
    const of = pod(workspaceWith(running, { resources: { cpu: "500m", memory: "1Gi" } }));
    assert.deepEqual(of.spec.containers[0]!.resources, { limits: { cpu: "500m", memory: "1Gi" } });
    assert.equal(of.status.qosClass, "Burstable");
    assert.equal(pod(workspaceWith(running)).status.qosClass, "BestEffort");
  });
  it("is what its schemas say, whatever its state", () => {
    const of = pod(workspaceWith(running, { nodeSelector: { a: "b" }, tolerations: [{ operator: "Exists" }], resources: { cpu: 2 } }), serviceWith("web", healthy({ lastExit: { code: 137, signal: "SIGKILL", reason: "Signaled" } }), { port: 1 }));
    for (const each of [of, pod(workspaceWith(undefined)), pod(workspaceWith({ phase: "Stopped", nodeName: "n1" }), serviceWith("a", { phase: "Stopped" }))]) {
      podKind.specSchema!.parse(each.spec);
      podKind.statusSchema!.parse(each.status);
    }
  });
});

/** Workspace's status, Services' statuses; READY STATUS RESTARTS; phase and Ready. */
const table: readonly (readonly [what: string, workspace: object | undefined, services: readonly object[], row: string, phase: string, ready: string])[] = [
  ["nothing yet", undefined, [{}], "0/2 Pending 0", "Pending", "-"],
  ["no Node has room", { phase: "Pending", conditions: [ready("False", "Unschedulable")] }, [], "0/1 Pending 0", "Pending", "-"],
  ["its instance is made", { phase: "Creating", nodeName: "n1", conditions: [ready("False", "Creating")] }, [{ phase: "Waiting" }], "0/2 ContainerCreating 0", "Pending", "False"],
  ["its image cannot be had", { phase: "Failed", nodeName: "n1", conditions: [ready("False", "ImagePullFailed")] }, [{ phase: "Waiting" }], "0/2 ErrImagePull 0", "Pending", "False"],
  ["its mount is missing", { phase: "Failed", nodeName: "n1", conditions: [ready("False", "MountSourceMissing")] }, [], "0/1 MountSourceMissing 0", "Pending", "False"],
  ["all is well", running, [healthy()], "2/2 Running 0", "Running", "True"],
  ["a check has yet to answer", running, [healthy({ phase: "Starting", conditions: [ready("False", "HealthCheckPending")] })], "1/2 Running 0", "Running", "False"],
  ["one waits for another", running, [{ phase: "Waiting", conditions: [ready("False", "DependenciesNotReady")] }], "1/2 DependenciesNotReady 0", "Running", "False"],
  ["one crashes", running, [{ phase: "CrashLoopBackOff", restarts: 3, lastExit: { code: 1, reason: "Error", finishedAt: "2026-01-01T00:55:00Z" }, conditions: [ready("False", "CrashLoopBackOff")] }], "1/2 CrashLoopBackOff 3 (5m ago)", "Running", "False"],
  ["one has crashed before", running, [healthy({ restarts: 2, lastExit: { code: 1, reason: "Error", finishedAt: "2026-01-01T00:55:00Z" } })], "2/2 Running 2 (5m ago)", "Running", "True"],
  ["a task is done", running, [{ phase: "Completed", lastExit: { code: 0, reason: "Completed" }, conditions: [{ ...ready("True", "Completed"), type: "Completed" }, ready("False", "Completed")] }], "1/2 Running 0", "Running", "True"],
  ["a task failed", running, [{ phase: "Failed", lastExit: { code: 3, reason: "Error" }, conditions: [ready("False", "Error")] }], "1/2 Error 0", "Running", "False"],
  ["it is stopped", { phase: "Stopped", nodeName: "n1", conditions: [ready("False", "Stopped")] }, [{ phase: "Stopped", lastExit: { code: 143, signal: "SIGTERM", reason: "Stopped" } }], "0/2 Stopped 0", "Succeeded", "False"],
  ["its engine is silent", { ...running, phase: "Unknown", conditions: [ready("Unknown", "EngineUnreachable")] }, [{ phase: "Unknown", pid: 7 }], "0/2 Unknown 0", "Unknown", "Unknown"],
];

describe("the state of a Pod when", () => {
  for (const [what, workspace, services, expected, phase, readiness] of table) {
    it(what, () => {
      const of = pod(workspaceWith(workspace), ...services.map((each, i) => serviceWith(`s${i}`, each)));
      assert.equal(row(of), expected);
      assert.equal(of.status.phase, phase);
      assert.equal(conditionOf(of, "Ready")?.status ?? "-", readiness);
    });
  }
  it("it is being deleted", () => assert.equal(row(pod(workspaceWith(running, {}, { deletionTimestamp: "2026-01-01T00:59:00Z" }))), "1/1 Terminating 0"));
});

describe("a container's status", () => {
  it("tells how the last run ended", () => {
    const of = pod(workspaceWith(running), serviceWith("web", healthy({ restarts: 1, lastExit: { code: 137, signal: "SIGKILL", reason: "Signaled", message: "ended by SIGKILL", startedAt: "2026-01-01T00:02:00Z", finishedAt: "2026-01-01T00:05:30Z" } })));
    const { state, lastState, ready: isReady, started, restartCount, containerID } = statusOf(of, "web");
    assert.deepEqual(state, { running: { startedAt: "2026-01-01T00:06:00Z" } });
    assert.deepEqual(lastState, { terminated: { exitCode: 137, signal: 9, reason: "Error", message: "ended by SIGKILL", startedAt: "2026-01-01T00:02:00Z", finishedAt: "2026-01-01T00:05:30Z" } });
    assert.deepEqual([isReady, started, restartCount, containerID], [true, true, 1, "docker://vendetta-x-y"]);
  });
  it("tells of the shell when the instance runs, in whole seconds", () => {
    assert.deepEqual(statusOf(pod(workspaceWith({ ...running, restarts: 4 })), "workspace"), {
      name: "workspace", state: { running: { startedAt: "2026-01-01T00:05:00Z" } }, lastState: {}, ready: true, started: true, restartCount: 4, image: "node:20", imageID: "", containerID: "docker://vendetta-x-y",
    });
  });
  it("says what is not ready", () => {
    const of = pod(workspaceWith(running), serviceWith("web", healthy()), serviceWith("api", healthy({ phase: "Unhealthy", conditions: [ready("False", "Unhealthy")] })));
    assert.equal(conditionOf(of, "ContainersReady")!.message, "containers with unready status: [api]");
    assert.equal(conditionOf(of, "PodScheduled")!.status, "True");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterLines, shares } from "../../src/cli/cluster-lines.ts";
import { clusterView, type ClusterState } from "../../src/cli/cluster-view.ts";
import { createStyle } from "../../src/cli/style.ts";
import { storedObject } from "../harness/objects.ts";

const condition = (status: string, reason = "Test", message = "") => [{ type: "Ready", status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" }];
const hostKeys = [`ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("ssh-ed25519"), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32)]).toString("base64")}`];
const seen = { observedGeneration: 1 };
const nodes = [
  storedObject("Node", "box", { ssh: { host: "10.0.0.5", user: "dev", hostKeys }, unschedulable: true }, { status: { ...seen, conditions: condition("Unknown", "Unreachable", "no answer for 120 s"), ssh: { latencyMs: 3 }, capacity: { cpu: "8", memory: "16Gi", disk: "200Gi" }, free: { disk: "150Gi" } } }),
  storedObject("Node", "vm", { local: {} }, { status: { ...seen, conditions: condition("True", "Probed"), providers: [{ name: "docker", usable: true }, { name: "host", usable: false }], capacity: { cpu: "2", memory: "4Gi", disk: "10Gi" }, free: { disk: "5Gi" }, orphans: [{ provider: "docker", instanceId: "x", workspace: "default/gone", firstSeenTime: "2026-01-01T00:00:00Z" }] } }),
];
const workspace = (name: string, spec: object, status: object) => storedObject("Workspace", name, { provider: "docker", image: "busybox", ...spec }, { status: { ...seen, ...status } });
const service = (name: string, workspaceName: string, status: object, spec: object = {}) => storedObject("Service", name, { workspace: workspaceName, command: ["x"], ...spec }, { status: { ...seen, ...status } });
const source = (name: string, spec: object, conditions: object) => storedObject("Source", name, { directory: { path: "/srv" }, ...spec }, { status: { ...seen, conditions } });
const state: ClusterState = {
  nodes,
  workspaces: [
    workspace("dev", { resources: { cpu: "500m", memory: "512Mi", disk: "1Gi" } }, { phase: "Running", nodeName: "vm", conditions: condition("True"), restarts: 2 }),
    workspace("far", { resources: { cpu: "2" } }, { phase: "Unknown", nodeName: "box", conditions: condition("Unknown", "NodeUnknown", "its Node does not answer") }),
    workspace("off", { state: "Stopped" }, { phase: "Stopped", nodeName: "vm", conditions: condition("False", "Stopped") }),
  ],
  services: [
    service("api", "dev", { phase: "CrashLoopBackOff", conditions: condition("False", "Exited", "ended with 1"), restarts: 5 }),
    service("db", "dev", { phase: "Running", conditions: condition("True"), url: "http://127.0.0.1:22432" }),
    service("idle", "off", { phase: "Stopped", conditions: condition("False", "WorkspaceStopped") }),
    service("remote", "far", { phase: "Unknown", conditions: condition("Unknown") }),
  ],
  sources: [
    source("good", {}, condition("True", "Applied")),
    source("idle", { suspend: true }, condition("False", "Suspended", "spec.suspend is true")),
  ],
};

describe("clusterView", () => {
  const view = clusterView(state);
  it("tells what is wrong, each once, and not what is as it was wished", () => {
    assert.deepEqual(view.problems, [
      { kind: "Node", namespace: null, name: "box", state: "Unreachable", message: "no answer for 120 s; it is tried again and again; if the machine is gone for good, 'vendetta node forget box'" },
      { kind: "Node", namespace: null, name: "vm", state: "Orphans", message: "an instance belongs to no Workspace; 'vendetta get orphans' lists them" },
      { kind: "Workspace", namespace: "default", name: "far", state: "Unknown", message: "its Node does not answer; a Service waits for it" },
      { kind: "Service", namespace: "default", name: "api", state: "CrashLoopBackOff", message: "ended with 1" },
    ]);
    assert.deepEqual([view.healthy, clusterView({ nodes: [], workspaces: [], services: [], sources: [] }).healthy], [false, true]);
  });
  it("tells of a Source whose manifests are not what is applied", () => {
    const { problems } = clusterView({ ...state, nodes: [], workspaces: [], services: [], sources: [...state.sources, source("bad", {}, condition("False", "Invalid", "a.yaml:1:1: wrong"))] });
    assert.deepEqual(problems, [{ kind: "Source", namespace: null, name: "bad", state: "Invalid", message: "a.yaml:1:1: wrong" }]);
  });
  it("adds up what is asked for of each Node", () => {
    assert.deepEqual(view.nodes, [
      { name: "box", ready: "Unknown", reason: "Unreachable", address: "dev@10.0.0.5", schedulable: false, drained: false, providers: [], cpu: { capacity: "8", requested: "2" }, memory: { capacity: "16Gi", requested: "0" }, disk: { capacity: "200Gi", requested: "0" }, diskFree: "150Gi", workspaces: 1, orphans: 0, latencyMs: 3 },
      { name: "vm", ready: "True", reason: "Probed", address: "this machine", schedulable: true, drained: false, providers: ["docker"], cpu: { capacity: "2", requested: "0.5" }, memory: { capacity: "4Gi", requested: "512Mi" }, disk: { capacity: "10Gi", requested: "1Gi" }, diskFree: "5Gi", workspaces: 2, orphans: 1, latencyMs: null },
    ]);
    assert.deepEqual(view.workspaces[0], { namespace: "default", name: "dev", ready: true, phase: "Running", provider: "docker", node: "vm", services: 2, servicesReady: 1, restarts: 2 });
  });
});

describe("shares", () => {
  const rows: readonly (readonly [needs: readonly number[], room: number | undefined, given: readonly number[]])[] = [
    [[5, 90], undefined, [5, 90]],
    [[1, 3, 100, 100], 24, [1, 3, 10, 10]],
    [[100, 1, 0, 2], 24, [21, 1, 0, 2]],
    [[100, 100, 100, 100], 1, [2, 2, 2, 2]],
  ];
  for (const [needs, room, given] of rows) it(`of ${room} rows, ${needs.join(", ")} get ${given.join(", ")}`, () => assert.deepEqual(shares(needs, room), given));
});

describe("clusterLines", () => {
  const plain = { style: createStyle(false) };
  it("is a table of each, problems first", () => {
    assert.deepEqual(clusterLines(clusterView(state), plain), [
      "4 problems",
      "OBJECT          STATUS             MESSAGE",
      "node/box        Unreachable        no answer for 120 s; it is tried again and again; if the machine is gone for good, 'vendetta node forget box'",
      "node/vm         Orphans            an instance belongs to no Workspace; 'vendetta get orphans' lists them",
      "workspace/far   Unknown            its Node does not answer; a Service waits for it",
      "service/api     CrashLoopBackOff   ended with 1",
      "",
      "Nodes (1 of 2 Ready)",
      "NAME             READY     ADDRESS        PROVIDERS   CPU        MEMORY         DISK          FREE    PLACED",
      "box (cordoned)   Unknown   dev@10.0.0.5   <none>      2 of 8     0 of 16Gi      0 of 200Gi    150Gi   1",
      "vm               True      this machine   docker      0.5 of 2   512Mi of 4Gi   1Gi of 10Gi   5Gi     2",
      "",
      "Workspaces (1 of 3 Ready)",
      "NAME   STATUS    PROVIDER   NODE   SERVICES READY   RESTARTS",
      "dev    Running   docker     vm     1 of 2           2",
      "far    Unknown   docker     box    0 of 1           0",
      "off    Stopped   docker     vm     0 of 1           0",
      "",
      "Services (1 of 4 Ready)",
      "NAME     STATUS             WORKSPACE   RESTARTS   URL",
      "api      CrashLoopBackOff   dev         5          <none>",
      "db       Running            dev         0          http://127.0.0.1:22432",
      "idle     Stopped            off         0          <none>",
      "remote   Unknown            far         0          <none>",
    ]);
  });
  it("says so when nothing is wrong, and leaves out what there is none of", () => {
    assert.deepEqual(clusterLines(clusterView({ nodes: [], workspaces: [], services: [], sources: [] }), plain), ["All is as wished."]);
  });
  it("fits the terminal", () => {
    const many: ClusterState = { ...state, services: Array.from({ length: 200 }, (_, i) => service(`s${i}`, "dev", { phase: "Waiting", conditions: condition("False", "X", "waits for something that takes its time") })) };
    const lines = clusterLines(clusterView(many), { ...plain, columns: 80, rows: 40 });
    assert.ok(lines.length <= 40, `${lines.length} lines`);
    assert.deepEqual(lines.filter((line) => line.length > 80), []);
    assert.ok(lines.some((line) => /^… and \d+ more$/.test(line)));
    for (const rows of [25, 40, 60]) {
      const crowded = { nodes: Array.from({ length: 50 }, () => nodes[0]!), workspaces: Array.from({ length: 90 }, () => many.workspaces[1]!), services: many.services, sources: [] };
      assert.ok(clusterLines(clusterView(crowded), { ...plain, columns: 80, rows }).length < rows);
    }
  });
  it("lets no text from outside move the cursor", () => {
    const lines = clusterLines(clusterView({ ...state, services: [service("api", "dev", { phase: "Failed", conditions: condition("False", "X", "a\u001b[2Jb\nc") })] }), plain);
    assert.ok(lines.every((line) => !/[\u0000-\u001f]/.test(line)));
  });
});

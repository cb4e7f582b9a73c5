import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Node } from "../../src/api/node.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { isStray, planOrphans } from "../../controllers/orphan/plan.ts";
import { schedule } from "../../src/api/schedule.ts";
import { storedObject } from "../harness/objects.ts";

const node = (name: string, spec: object = {}, more: { readonly ready?: "True" | "False" | "Unknown" | "none"; readonly docker?: boolean; readonly labels?: Record<string, string> } = {}): Node =>
  storedObject("Node", name, "ssh" in spec ? spec : { local: {}, ...spec }, {
    metadata: more.labels ? { labels: more.labels } : {},
    status: {
      conditions: more.ready === "none" ? [] : [{ type: "Ready", status: more.ready ?? "True", reason: "Probed", message: "gone fishing", lastTransitionTime: "2026-01-01T00:00:00Z" }],
      providers: [{ name: "docker", usable: more.docker ?? true, ...(more.docker === false ? { reason: "NotRunning", message: "start it" } : {}) }],
      capacity: { cpu: "2", memory: "4096Mi", disk: "50Gi" },
    },
  });
const qemuLess = (name: string): Node => {
  const { status, ...rest } = node(name);
  return { ...rest, status: { ...status, providers: [{ name: "qemu", usable: false, reason: "NotInstalled", message: "no qemu" }] } };
};
const workspace = (spec: object = {}, name = "dev", nodeName?: string): Workspace => storedObject("Workspace", name, { provider: "docker", image: "busybox", ...spec }, nodeName === undefined ? {} : { status: { nodeName } });
const ssh = { host: "10.0.0.5", user: "dev", hostKeys: [`ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("ssh-ed25519"), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32)]).toString("base64")}`] };
const refusal = (wish: Workspace, nodes: readonly Node[], placed: readonly Workspace[] = []) => {
  const answer = schedule(wish, nodes, (nodeName) => placed.filter((each) => each.status?.nodeName === nodeName));
  return answer.kind === "placed" ? `placed on ${answer.nodeName}` : answer.message;
};

describe("schedule", () => {
  it("spreads over the nodes, then goes by name", () => {
    assert.equal(refusal(workspace(), [node("b"), node("a")]), "placed on a");
    assert.equal(refusal(workspace(), [node("b"), node("a")], [workspace({}, "x", "a")]), "placed on b");
  });
  const rows: readonly (readonly [string, Workspace, Node, RegExp])[] = [
    ["a node that is not Ready", workspace(), node("a", {}, { ready: "False" }), /a: is not Ready \(Probed: gone fishing\)/],
    ["a node that does not answer", workspace(), node("a", { ssh }, { ready: "Unknown" }), /a: does not answer \(Probed: gone fishing; 'vendetta node status a' tells more\)/],
    ["a node that is new", workspace(), node("a", {}, { ready: "none" }), /a: has not been looked at yet/],
    ["a missing engine", workspace(), node("a", {}, { docker: false }), /a: provider docker is not usable \(start it\)/],
    ["an engine that could be started", workspace(), node("a", {}, { docker: false }), /; it could run on a with docker$/],
    ["an engine that nobody has installed", workspace({ provider: "qemu", image: "/images/a.qcow2" }), qemuLess("a"), /a: provider qemu is not usable \(no qemu\); it could run on a with qemu \(on Debian: apt-get install qemu-system-x86 qemu-utils\)$/],
    ["an engine that is not the only thing missing", workspace({ resources: { cpu: "3" } }), node("a", {}, { docker: false }), /not usable \(start it\)$/],
    ["another name", workspace({ nodeName: "z" }), node("a"), /there is no Node "z", which spec.nodeName asks for/],
    ["labels that do not match", workspace({ nodeSelector: { disk: "ssd" } }), node("a", {}, { labels: { disk: "hdd" } }), /a: its labels do not match spec\.nodeSelector: disk=ssd$/],
    ["a cordon", workspace(), node("a", { unschedulable: true }), /is cordoned/],
    ["a taint", workspace(), node("a", { taints: [{ key: "gpu", effect: "NoSchedule" }] }), /has the taint gpu:NoSchedule/],
    ["a drain", workspace(), node("a", { drain: {} }), /is drained/],
    ["what is left of it there", storedObject("Workspace", "dev", { provider: "docker", image: "busybox" }, { status: { leftBehind: [{ nodeName: "a", instanceId: "i", since: "2026-01-01T00:00:00Z" }] } }), node("a"), /still has what was left behind/],
    ["too little disk", workspace({ resources: { disk: "60Gi" } }), node("a"), /not enough disk \(60Gi asked for, 50Gi of 50Gi left\)/],
    ["too little memory", workspace({ resources: { memory: "5Gi" } }), node("a"), /not enough memory \(5Gi asked for, 4096Mi of 4096Mi left\)/],
  ];
  for (const [what, wish, where, why] of rows) it(`says that ${what} is in the way`, () => assert.match(refusal(wish, [where]), why));
  it("counts what is placed there already", () => {
    const half = { resources: { cpu: "1500m" } };
    assert.match(refusal(workspace(half), [node("a")], [workspace(half, "x", "a")]), /not enough cpu \(1500m asked for, 0.5 of 2 left\)/);
  });
  it("goes to a cordoned node that is named, and to a tainted one that is tolerated", () => {
    assert.equal(refusal(workspace({ nodeName: "a" }), [node("a", { unschedulable: true })]), "placed on a");
    assert.equal(refusal(workspace({ tolerations: [{ key: "gpu", operator: "Exists" }] }), [node("a", { taints: [{ key: "gpu", effect: "NoSchedule" }] })]), "placed on a");
  });
  it("lists each node and what is in its way", () => {
    assert.equal(refusal(workspace({ nodeName: "b" }), [node("a"), node("b", {}, { ready: "False" })]), "no Node fits: a: spec.nodeName asks for b; b: is not Ready (Probed: gone fishing)");
  });
  it("leaves out the Node that it is to leave", () => {
    const answer = schedule(workspace(), [node("a"), node("b", { unschedulable: true })], () => [], "a");
    assert.deepEqual(answer, { kind: "unplaced", message: "no Node fits: a: is the one it is on; b: is cordoned" });
  });
  it("says so when there is no node at all", () => assert.match(refusal(workspace(), []), /there is no Node/));
});

describe("planOrphans", () => {
  const instance = (uid: string) => ({ id: `vendetta-c-${uid}`, owner: { cluster: "c", uid, namespace: "default", name: uid }, generation: 1, specHash: "", state: "running", startId: "s", startedAt: undefined, exitCode: undefined, outOfMemory: false, address: undefined, ports: [], runDir: "", problems: [] }) as const;
  it("leaves the owned alone, and strangers until their grace is over", () => {
    const first = planOrphans([instance("a"), instance("b")], new Set(["a"]), new Map(), 1000);
    assert.deepEqual([first.remove.length, [...first.since.keys()]], [0, ["vendetta-c-b"]]);
    assert.deepEqual(planOrphans([instance("b")], new Set(["a"]), first.since, 30_999).remove, []);
    assert.deepEqual(planOrphans([instance("b")], new Set(["a"]), first.since, 31_000).remove.map((each) => each.id), ["vendetta-c-b"]);
  });
  it("takes what its owner does not look after for an orphan: it was renamed", () => {
    const renamed = { ...instance("a"), id: "elsewhere" };
    assert.deepEqual(planOrphans([instance("a"), renamed], new Set(["a"]), new Map([["elsewhere", 0]]), 30_000).remove, [renamed]);
  });
  it("takes for one what its Workspace has left without a record, and nothing that may be the instance itself", () => {
    const at = (status: object) => storedObject("Workspace", "dev", { provider: "docker", image: "busybox" }, { status: { nodeName: "b", startId: "s2", conditions: [{ type: "Ready", status: "True", reason: "Running", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }], ...status } });
    assert.equal(isStray(at({}), "a", instance("dev")), true);
    assert.equal(isStray(at({ nodeName: "a" }), "a", instance("dev")), false, "it is placed there");
    assert.equal(isStray(at({ startId: "s" }), "a", instance("dev")), false, "two Nodes of one engine");
    assert.equal(isStray(at({ leftBehind: [{ nodeName: "a", instanceId: "i", since: "2026-01-01T00:00:00Z" }] }), "a", instance("dev")), false, "its own loop removes it");
    assert.equal(isStray(at({ conditions: [] }), "a", instance("dev")), false, "nobody knows what runs on its Node");
  });
  it("forgets one whose owner appeared", () => {
    assert.equal(planOrphans([instance("b")], new Set(["b"]), new Map([["vendetta-c-b", 0]]), 99_000).since.size, 0);
  });
});

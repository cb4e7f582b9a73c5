import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCondition } from "../../src/api/conditions.ts";
import type { Node, NodeStatus } from "../../src/api/node.ts";
import { whyUnknown } from "../../controllers/node/why-unknown.ts";
import type { WayState } from "../../controllers/machines.ts";
import { hostKeyNews, planNode, silenceMsMax, type NodeObservation } from "../../controllers/node/plan.ts";

const start = Date.parse("2026-01-01T00:00:00Z");
const facts = { capacity: { cpu: "2", memory: "100Mi", disk: "10Gi" }, diskFree: "5Gi", clockSeconds: 0, info: { operatingSystem: "linux", kernelVersion: "6", architecture: "x", hostname: "h", bootId: "b" } };
const way: WayState = { connectedSinceMs: start, latencyMs: 3.4, reconnects: 0, trouble: undefined, lastError: undefined };
const node = (status?: NodeStatus): Node => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "far", generation: 1 } as Node["metadata"], spec: { nodePorts: {}, providers: {} } as unknown as Node["spec"], ...(status === undefined ? {} : { status }) });
const seen = (more: Partial<NodeObservation> & { readonly way?: Partial<WayState> } = {}): NodeObservation => {
  const { way: differs, ...rest } = more;
  return { machine: { kind: "answered", facts, skewSeconds: 0 }, remote: { address: "dev@far", ...way, ...differs }, providers: [{ name: "docker", probe: { usable: true, version: "27" } }], workspaces: 1, orphans: [], now: start, ...rest };
};
const silent = { kind: "silent", reason: "Silent", message: "no answer" } as const;
const ready = (status: NodeStatus) => findCondition(status.conditions, "Ready");

describe("planNode: a machine over SSH", () => {
  const well = planNode(node(), seen());
  it("is Ready, with its address, its connection and the key that it shows", () => {
    assert.deepEqual([ready(well)?.status, well.address, well.ssh, findCondition(well.conditions, "HostKeyTrusted")?.status], ["True", "dev@far", { latencyMs: 3, connectedSince: "2026-01-01T00:00:00Z", reconnects: 0 }, "True"]);
  });
  it("writes nothing new while only the latency moves, until the heartbeat is due", () => {
    assert.deepEqual(planNode(node(well), seen({ way: { latencyMs: 40 }, now: start + 59_000 })), well);
    assert.equal(planNode(node(well), seen({ way: { latencyMs: 40 }, now: start + 60_000 })).ssh?.latencyMs, 40);
  });
  it("stays Ready through silence, and is Unknown when that lasts", () => {
    assert.equal(ready(planNode(node(well), seen({ machine: silent, now: start + silenceMsMax - 1 })))?.status, "True");
    const lost = planNode(node(well), seen({ machine: silent, now: start + silenceMsMax }));
    assert.deepEqual([ready(lost)?.status, ready(lost)?.reason], ["Unknown", "Unreachable"]);
    assert.equal(ready(planNode(node(lost), seen({ machine: silent, now: start + silenceMsMax })))?.status, "Unknown");
  });
  it("is not Ready, and not Unknown, when it answers and runs nothing", () => {
    const busy = planNode(node(well), seen({ machine: { kind: "busy", message: "no session" }, now: start + 60_000 }));
    assert.deepEqual([ready(busy)?.status, ready(busy)?.reason, busy.lastHeartbeatTime, busy.providers], ["False", "Busy", "2026-01-01T00:01:00Z", well.providers]);
  });
  it("is Unknown at once when it never answered, or its connection broke", () => {
    assert.equal(ready(planNode(node(), seen({ machine: silent })))?.status, "Unknown");
    const trouble = { reason: "AuthenticationFailed", message: "it did not let us in" };
    const lost = planNode(node(well), seen({ machine: { kind: "silent", ...trouble }, way: { connectedSinceMs: undefined, trouble, lastError: trouble.message } }));
    assert.deepEqual([ready(lost)?.reason, lost.ssh, lost.lastHeartbeatTime], ["AuthenticationFailed", { reconnects: 0, lastError: "it did not let us in" }, well.lastHeartbeatTime]);
    assert.equal(findCondition(lost.conditions, "HostKeyTrusted")?.status, "True", "of the key nothing new is known");
  });
  it("tells a changed host key as a condition of its own", () => {
    const trouble = { reason: "HostKeyChanged", message: "another key" };
    const lost = planNode(node(well), seen({ machine: { kind: "silent", ...trouble }, way: { trouble } }));
    assert.deepEqual([ready(lost)?.reason, findCondition(lost.conditions, "HostKeyTrusted")?.status], ["HostKeyChanged", "False"]);
    const unknown = whyUnknown(node(lost))!;
    assert.match(unknown, /^Node "far" is not asked, as its host key has changed; 'vendetta node status far' tells more$/);
  });
  it("has news of a host key once for each that is not pinned", () => {
    const shows = (from: NodeStatus, message: string) => {
      const trouble = { reason: "HostKeyChanged", message };
      return planNode(node(from), seen({ machine: { kind: "silent", ...trouble }, way: { trouble } }));
    };
    const one = shows(well, "it shows A");
    assert.match(hostKeyNews(node(well), one)!, /^it shows A\. Nothing is asked of it until 'vendetta node trust far'/);
    assert.equal(hostKeyNews(node(one), shows(one, "it shows A")), undefined);
    // Silent in between: still the same key.
    const gone = planNode(node(one), seen({ machine: silent, now: start + silenceMsMax }));
    assert.equal(hostKeyNews(node(gone), shows(gone, "it shows A")), undefined);
    assert.match(hostKeyNews(node(one), shows(one, "it shows B"))!, /^it shows B/);
    assert.equal(hostKeyNews(node(one), planNode(node(one), seen())), undefined, "it was trusted");
    assert.equal(hostKeyNews(node(), well), undefined);
  });
  it("tells a clock that is wrong, and does not write a second more or less", () => {
    const ahead = planNode(node(well), seen({ machine: { kind: "answered", facts, skewSeconds: 3600 } }));
    assert.equal(ahead.clockSkewSeconds, 3600);
    assert.match(findCondition(ahead.conditions, "ClockInSync")!.message, /is 3600 s ahead of/);
    assert.equal(planNode(node(ahead), seen({ machine: { kind: "answered", facts, skewSeconds: 3601 } })).clockSkewSeconds, 3600);
    assert.equal(planNode(node(), seen({ machine: { kind: "answered", facts, skewSeconds: -1 } })).clockSkewSeconds, 0);
  });
  it("has the whole disk as capacity, and tells what is free of it when that is news", () => {
    const told = (diskFree: string) => planNode(node(well), seen({ machine: { kind: "answered", facts: { ...facts, diskFree }, skewSeconds: 0 } }));
    assert.deepEqual([told("4Gi").capacity?.disk, told("4Gi").free?.disk, told("3Gi").free?.disk], ["10Gi", "5Gi", "3Gi"]);
  });
  it("says nothing of a connection when it is this machine", () => {
    const local = planNode(node(well), seen({ remote: undefined }));
    assert.deepEqual([local.address, local.ssh, local.clockSkewSeconds, local.conditions?.map(({ type }) => type)], ["local", undefined, undefined, ["Ready"]]);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testApp } from "./server-harness.ts";

const path = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const lease = (holderIdentity: string, more: object = {}, metadata: object = {}) => ({
  apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "leader", namespace: "default", ...metadata },
  spec: { holderIdentity, leaseDurationSeconds: 15, acquireTime: "2026-01-31T12:00:00.000001Z", renewTime: "2026-01-31T12:00:00.000001Z", leaseTransitions: 0, ...more },
});

describe("leader election by a Lease", () => {
  it("has one winner at the start, and one at each change", async () => {
    const { send } = testApp();
    const created = await Promise.all(["a", "b", "c"].map((holder) => send("POST", path, lease(holder))));
    assert.deepEqual(created.map((each) => each.status).sort(), [201, 409, 409]);
    const held = (await (await send("GET", `${path}/leader`)).json()) as any;
    assert.equal(held.spec.renewTime, "2026-01-31T12:00:00.000001Z", "kept to the microsecond");
    const { resourceVersion } = held.metadata;
    const taken = await Promise.all(["b", "c"].map((holder) => send("PUT", `${path}/leader`, lease(holder, { leaseTransitions: 1 }, { resourceVersion }))));
    assert.deepEqual(taken.map((each) => each.status).sort(), [200, 409]);
  });
  it("shows who holds it", async () => {
    const { send } = testApp();
    await send("POST", path, lease("a"));
    const table = (await (await send("GET", "/apis/coordination.k8s.io/v1/leases", undefined, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" })).json()) as any;
    assert.deepEqual(table.columnDefinitions.map((each: any) => each.name), ["Name", "Holder", "Age"]);
    assert.deepEqual(table.rows[0].cells.slice(0, 2), ["leader", "a"]);
  });
  it("is released by an empty holder", async () => {
    const { send } = testApp();
    await send("POST", path, lease("a"));
    const response = await send("PATCH", `${path}/leader`, { spec: { holderIdentity: "", renewTime: null } }, { "content-type": "application/strategic-merge-patch+json" });
    const { spec } = (await response.json()) as any;
    assert.deepEqual([response.status, spec.holderIdentity, spec.renewTime, spec.leaseDurationSeconds], [200, "", undefined, 15]);
  });
});

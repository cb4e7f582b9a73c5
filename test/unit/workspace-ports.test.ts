import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assignPorts, type PortRequest } from "../../controllers/workspace/ports.ts";

const request = (more: Partial<PortRequest> = {}): PortRequest => ({
  wanted: [{ port: 80, nodePort: undefined }], recorded: [], published: undefined, enginePublishes: true, engineRepublishes: false, sharesNodeNetwork: false, isRemote: false, sharer: () => undefined,
  range: { from: 20000, to: 20009 }, seed: 3, holder: () => undefined, isFree: () => Promise.resolve(true), ...more,
});

describe("assignPorts", () => {
  it("chooses by the seed, inside the range, and lets the engine publish what is about to be made", async () => {
    assert.deepEqual(await assignPorts(request()), { kind: "assigned", ports: [{ port: 80, nodePort: 20003, via: "Engine" }] });
  });
  it("keeps what is on record", async () => {
    assert.deepEqual(await assignPorts(request({ recorded: [{ port: 80, nodePort: 20007, via: "Engine" }] })), { kind: "assigned", ports: [{ port: 80, nodePort: 20007, via: "Engine" }] });
  });
  it("carries itself what a running instance does not publish", async () => {
    assert.deepEqual(await assignPorts(request({ published: [] })), { kind: "assigned", ports: [{ port: 80, nodePort: 20003, via: "Forward" }] });
  });
  it("believes the engine about what is published", async () => {
    assert.deepEqual(await assignPorts(request({ published: [{ port: 80, nodePort: 20001 }] })), { kind: "assigned", ports: [{ port: 80, nodePort: 20001, via: "Engine" }] });
  });
  it("passes over ports that others hold, on record or in fact", async () => {
    const answer = await assignPorts(request({ holder: (port) => (port === 20003 ? "other" : undefined), isFree: (port) => Promise.resolve(port !== 20004) }));
    assert.deepEqual(answer, { kind: "assigned", ports: [{ port: 80, nodePort: 20005, via: "Engine" }] });
  });
  it("moves a recorded port that another workspace holds", async () => {
    const answer = await assignPorts(request({ recorded: [{ port: 80, nodePort: 20007, via: "Forward" }], holder: (port) => (port === 20007 ? "other" : undefined) }));
    assert.deepEqual(answer, { kind: "assigned", ports: [{ port: 80, nodePort: 20003, via: "Engine" }] });
  });
  it("never gives one node port twice", async () => {
    const answer = await assignPorts(request({ wanted: Array.from({ length: 10 }, (_, i) => ({ port: 80 + i, nodePort: undefined })) }));
    assert.equal(answer.kind, "assigned");
    assert.equal(new Set(answer.kind === "assigned" ? answer.ports.map((each) => each.nodePort) : []).size, 10);
  });
  it("says when the range is used up", async () => {
    const answer = await assignPorts(request({ isFree: () => Promise.resolve(false) }));
    assert.match(answer.kind === "conflict" ? answer.message : "", /no free port between 20000 and 20009/);
  });
  it("gives the port that was asked for, or says who has it", async () => {
    assert.deepEqual(await assignPorts(request({ wanted: [{ port: 80, nodePort: 8080 }] })), { kind: "assigned", ports: [{ port: 80, nodePort: 8080, via: "Engine" }] });
    const answer = await assignPorts(request({ wanted: [{ port: 80, nodePort: 8080 }], isFree: () => Promise.resolve(false) }));
    assert.match(answer.kind === "conflict" ? answer.message : "", /8080.*another program/);
  });
  it("carries every port of another machine itself, and stays with what is on record", async () => {
    assert.deepEqual(await assignPorts(request({ isRemote: true })), { kind: "assigned", ports: [{ port: 80, nodePort: 20003, via: "Forward" }] });
    const later = await assignPorts(request({ isRemote: true, published: [{ port: 80, nodePort: 80 }], recorded: [{ port: 80, nodePort: 20007, via: "Forward" }], isFree: () => Promise.resolve(false) }));
    assert.deepEqual(later, { kind: "assigned", ports: [{ port: 80, nodePort: 20007, via: "Forward" }] });
  });
  it("carries what shares another machine's network too, and refuses a second user there", async () => {
    const shared = { isRemote: true, sharesNodeNetwork: true, enginePublishes: false } as const;
    assert.deepEqual(await assignPorts(request({ ...shared, holder: (port) => (port === 80 ? "one on this machine" : undefined) })), { kind: "assigned", ports: [{ port: 80, nodePort: 20003, via: "Forward" }] });
    const answer = await assignPorts(request({ ...shared, sharer: () => 'Workspace "default/other"' }));
    assert.match(answer.kind === "conflict" ? answer.message : "", /port 80 of the node is already used by Workspace "default\/other"/);
  });
  it("uses the port itself where the node's network is shared, and refuses a second user", async () => {
    assert.deepEqual(await assignPorts(request({ sharesNodeNetwork: true })), { kind: "assigned", ports: [{ port: 80, nodePort: 80, via: "Shared" }] });
    const answer = await assignPorts(request({ sharesNodeNetwork: true, holder: () => 'Workspace "default/other"' }));
    assert.match(answer.kind === "conflict" ? answer.message : "", /port 80 of the node is already used by Workspace "default\/other"/);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Node } from "../../src/api/node.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { planFailover } from "../../controllers/workspace/failover.ts";
import { storedObject } from "../harness/objects.ts";

describe("planFailover", () => {
  const lostMs = Date.UTC(2026, 0, 1);
  const node = (status: string) => storedObject("Node", "a", { local: {} }, { status: { conditions: [{ type: "Ready", status, reason: "X", message: "x", lastTransitionTime: new Date(lostMs).toISOString() }] } });
  const workspace = (more: object = {}, phase = "Unknown", metadata: object = {}) => storedObject("Workspace", "dev", { provider: "docker", image: "x", failover: {}, ...more }, { metadata, status: { nodeName: "a", phase } });
  const rows: readonly (readonly [what: string, workspace: Workspace, node: Node | undefined, trustedFromMs: number, nowMs: number, kind: string])[] = [
    ["well", workspace(), node("True"), 0, lostMs + 1e9, "stay"],
    ["not lost for long", workspace(), node("Unknown"), 0, lostMs + 299_999, "wait"],
    ["lost for long", workspace(), node("Unknown"), 0, lostMs + 300_000, "due"],
    ["lost, as the last server had it on record: looked at first", workspace(), node("Unknown"), lostMs + 400_000, lostMs + 399_999, "wait"],
    ["nobody asked for it", storedObject("Workspace", "dev", { provider: "docker", image: "x" }, { status: { nodeName: "a" } }), node("Unknown"), 0, lostMs + 1e9, "stay"],
    ["stopped", workspace({ state: "Stopped" }), node("Unknown"), 0, lostMs + 1e9, "stay"],
    ["going", workspace({}, "Unknown", { deletionTimestamp: "2026-01-01T00:00:00Z" }), node("Unknown"), 0, lostMs + 1e9, "stay"],
    ["not Ready, and seen to run", workspace({}, "Running"), node("False"), 0, lostMs + 300_000, "stay"],
    ["not Ready, and not to be seen", workspace(), node("False"), 0, lostMs + 300_000, "due"],
    ["forgotten", workspace(), undefined, lostMs + 1e9, lostMs, "due"],
    ["forgotten, and stopped", workspace({ state: "Stopped" }), undefined, 0, lostMs, "due"],
  ];
  for (const [what, wish, at, trustedFromMs, nowMs, kind] of rows) it(`${what}: ${kind}`, () => assert.equal(planFailover(wish, at, trustedFromMs, nowMs).kind, kind));
});

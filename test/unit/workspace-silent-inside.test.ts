import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TimeoutError } from "../../src/base/clock.ts";
import { placingWorld } from "../harness/placing-world.ts";

const graceSeconds = 7;
/** Beyond the services' own grace, in plan.ts. */
const slackMs = 10_000;

describe("a Workspace whose instance runs, and in which nothing answers", () => {
  for (const [wish, what] of [["delete", "is removed"], ["stop", "is stopped"]] as const) {
    it(`${what} once its services have had their time`, async () => {
      const world = await placingWorld(["a"], {}, () => Promise.reject(new TimeoutError("opening the control stream", 10_000)));
      try {
        await world.create("dev");
        await world.store.create("Service", { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "web", namespace: "default" }, spec: { workspace: "dev", command: ["sleep", "1"], terminationGracePeriodSeconds: graceSeconds } } as never);
        await world.clock.advance(3000);
        const state = () => [...world.engines.get("a")!.instances.values()][0]?.state;
        assert.equal(state(), "running");
        const ref = { namespace: "default", name: "dev" };
        if (wish === "delete") await world.store.delete("Workspace", ref);
        else await world.store.patch("Workspace", ref, { type: "merge", patch: { spec: { state: "Stopped" } } });
        await world.clock.advance(graceSeconds * 1000 + slackMs - 2000);
        assert.equal(state(), "running", "they may be at work");
        await world.clock.advance(5000);
        assert.equal(state(), wish === "delete" ? undefined : "stopped");
      } finally {
        await world.end();
      }
    });
  }
});

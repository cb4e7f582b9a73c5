import assert from "node:assert/strict";
import { it } from "node:test";
import { inServerTime } from "../../controllers/service/server-time.ts";
import type { Run } from "../../controllers/service/supervisor.ts";

it("a run's times are taken by the server's clock, and what is not known stays so", () => {
  const run: Run = { service: "u", number: 1, hash: "h", startedAtSeconds: 5000, state: { kind: "running", pid: 7, stopRequestedAtSeconds: undefined } };
  assert.deepEqual(inServerTime(run, 3600), { ...run, startedAtSeconds: 1400 });
  const ended: Run = { ...run, state: { kind: "exited", code: 1, atSeconds: 6000, stopRequested: false } };
  assert.deepEqual(inServerTime(ended, -100).state, { kind: "exited", code: 1, atSeconds: 6100, stopRequested: false });
  assert.equal(inServerTime(run, 0), run);
});

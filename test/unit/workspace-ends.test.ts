import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Workspace, WorkspaceStatus } from "../../src/api/workspace.ts";
import type { Instance } from "../../src/providers/provider.ts";
import { planWorkspace, workspaceFinalizer } from "../../controllers/workspace/plan.ts";
import { lastLinesOf } from "../../controllers/workspace/why-ended.ts";
import type { WorkspaceObservation, WorkspacePlan } from "../../controllers/workspace/workspace-plan.ts";
import { storedObject } from "../harness/objects.ts";
import { placingWorld } from "../harness/placing-world.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);
const at = (seconds: number) => new Date(nowMs + seconds * 1000).toISOString().replace(".000", "");
const workspace = (status: Partial<WorkspaceStatus> = {}, spec: object = {}, generation = 1): Workspace =>
  storedObject("Workspace", "dev", { provider: "docker", image: "busybox", ...spec }, { metadata: { finalizers: [workspaceFinalizer], generation }, status: { nodeName: "n1", instanceId: "i1", ...status } });
const instance = (more: Partial<Instance> = {}): Instance => ({
  id: "i1", owner: { cluster: "c", uid: "uid-dev", namespace: "default", name: "dev" }, generation: 1, specHash: "h", state: "stopped",
  startId: undefined, startedAt: undefined, exitCode: 1, outOfMemory: false, address: undefined, ports: [], runDir: "/run/vendetta", problems: [], ...more,
});
const seen = (found: Instance, lastLines?: readonly string[], now = nowMs): WorkspaceObservation => ({
  instance: { kind: "known", instance: found }, specHash: "h", difference: "", running: { names: [], graceSeconds: 0 }, now, ...(lastLines === undefined ? {} : { end: { lastLines } }),
});
const ready = (status: "True" | "False", since: number, observedGeneration = 1) => ({ type: "Ready", status, reason: "R", message: "as before", lastTransitionTime: at(since), observedGeneration } as const);
const lastEnd = (inARow: number) => ({ message: "ended with exit code 1", time: at(-1), inARow });
const did = (plan: WorkspacePlan) => plan.steps.map((step) => step.do);
/** The status after a plan, as a draft would merge it. */
const after = (was: Workspace, plan: WorkspacePlan): Workspace => {
  const { metadata, spec, status } = was;
  return { ...workspace({ ...status, ...plan.status, conditions: [{ ...plan.condition, lastTransitionTime: at(0) }] }, spec), metadata };
};

describe("an instance that ends though nobody stopped it", () => {
  it("is started at once, then ever more slowly, and each end counts as one restart", () => {
    let now = workspace({ startId: "s1", phase: "Running", restarts: 2 });
    const seconds: (number | undefined)[] = [];
    for (let end = 0; end < 9; end++) {
      const plan = planWorkspace(now, seen(instance(), []));
      seconds.push(plan.afterMs === undefined ? undefined : plan.afterMs / 1000);
      assert.deepEqual(did(plan), plan.afterMs === undefined ? ["announce", "start"] : ["announce"]);
      assert.equal(plan.status.phase, end === 0 ? "Starting" : "CrashLoopBackOff");
      assert.deepEqual([plan.status.restarts, plan.status.startId, plan.status.lastEnd?.inARow], [3 + end, undefined, end + 1]);
      now = after(now, plan);
    }
    assert.deepEqual(seconds, [undefined, 1, 2, 4, 8, 16, 32, 60, 60]);
  });
  it("is waited for until its time has come, with what was said of it, and then started", () => {
    const waiting = workspace({ phase: "CrashLoopBackOff", nextRetryTime: at(3), lastEnd: lastEnd(3), conditions: [ready("False", -1)] });
    const plan = planWorkspace(waiting, seen(instance()));
    assert.deepEqual([did(plan), plan.afterMs, plan.condition.message], [[], 3000, "as before"]);
    const due = planWorkspace(waiting, seen(instance(), undefined, nowMs + 3000));
    assert.deepEqual([did(due), due.status.phase, due.status.lastEnd, due.status.restarts], [["start"], "Starting", lastEnd(3), undefined]);
    assert.match(due.condition.message, /is being started again: it ended with exit code 1 \(3 times in a row\)/);
  });
  it("is tried at once with another spec, and when the clock was put back", () => {
    const waiting: Partial<WorkspaceStatus> = { phase: "CrashLoopBackOff", nextRetryTime: at(3), lastEnd: lastEnd(3), conditions: [ready("False", -1)] };
    assert.deepEqual(did(planWorkspace(workspace(waiting, {}, 2), seen(instance()))), ["start"]);
    assert.deepEqual(did(planWorkspace(workspace({ ...waiting, nextRetryTime: at(3600) }), seen(instance()))), ["start"]);
  });
  it("is forgiven after a minute of running", () => {
    const found = instance({ state: "running", startId: "s2", exitCode: undefined });
    const since = (seconds: number) => workspace({ phase: "Running", startId: "s2", lastEnd: lastEnd(3), conditions: [ready("True", -seconds)] });
    assert.deepEqual([planWorkspace(since(50), seen(found)).afterMs, planWorkspace(since(50), seen(found)).status.lastEnd], [10_000, undefined]);
    assert.deepEqual([planWorkspace(since(60), seen(found)).afterMs, planWorkspace(since(60), seen(found)).status.lastEnd], [undefined, lastEnd(0)]);
    assert.equal(planWorkspace(since(50), seen(instance(), [])).status.lastEnd?.inARow, 4);
    assert.equal(planWorkspace(since(60), seen(instance(), [])).status.lastEnd?.inARow, 1, "also when nobody was there to see the minute");
    assert.equal(planWorkspace(workspace({ phase: "Starting", lastEnd: lastEnd(3), conditions: [ready("False", -1)] }), seen(found)).afterMs, 60_000);
  });
  it("counts as running again only when it has stayed up for a moment, or as long as was waited for it", () => {
    const found = instance({ state: "running", startId: "s2", exitCode: undefined });
    const again = workspace({ phase: "Starting", lastEnd: lastEnd(3), conditions: [ready("False", -1)] });
    // It ended a second ago, and was started two seconds after that.
    const looks = [1000, 2900, 3000].map((ms) => planWorkspace(again, seen(found, undefined, nowMs + ms)));
    assert.deepEqual(looks.map(({ status, condition, afterMs }) => [status.phase, condition.status, condition.reason, afterMs]), [["Starting", "False", "Settling", 2000], ["Starting", "False", "Settling", 100], ["Running", "True", "Running", 60_000]]);
    assert.match(looks[0]!.condition.message, /counts once it has stayed up for a moment; before it ended with exit code 1 \(3 times in a row\)/);
    assert.equal(planWorkspace(workspace({ phase: "Starting", lastEnd: lastEnd(1), conditions: [ready("False", -1)] }), seen(found)).status.phase, "Running", "one end may have come from anywhere");
  });
  it("counts as running at once, but for a command of the user's own that has not run yet", () => {
    const found = instance({ state: "running", startId: "s1", exitCode: undefined, startedAt: at(-0.5) });
    const own = { docker: { command: ["./server"] } };
    const phase = (was: Workspace, now = nowMs) => planWorkspace(was, seen(found, undefined, now)).status.phase;
    assert.equal(phase(workspace()), "Running");
    assert.deepEqual([phase(workspace({}, own)), phase(workspace({}, own), nowMs + 500)], ["Starting", "Running"]);
    assert.equal(phase(workspace({ observedGeneration: 1 }, own)), "Running", "it has stayed up before");
    assert.equal(phase(workspace({}, own), nowMs - 3_600_000), "Running", "by a clock that is another");
  });

  type Row = readonly [what: string, spec: object, found: Partial<Instance>, lastLines: readonly string[], told: RegExp];
  const rows: readonly Row[] = [
    ["nothing is known", {}, { exitCode: undefined }, [], /^its instance ended \(4 times in a row\); starting it again 4 s after that; 'vendetta logs --console dev'/],
    ["an exit code and last words", {}, { exitCode: 3 }, ["one", "two"], /^its instance ended with exit code 3, and said last: "one" "two" \(4 times/],
    ["a signal", {}, { exitCode: 137 }, [], /was ended by SIGKILL/],
    ["255 is no signal", {}, { exitCode: 255 }, [], /ended with exit code 255/],
    ["memory, bounded", { resources: { memory: "16Mi" } }, { exitCode: 137, outOfMemory: true }, [], /was killed for want of memory .*it may use 16Mi: raise spec\.resources\.memory/],
    ["memory, not bounded", {}, { exitCode: 137, outOfMemory: true }, [], /its node has too little memory/],
    ["no shell", {}, { exitCode: 127 }, ["[FATAL tini (7)] exec sh failed: No such file or directory"], /exec sh failed.*have no sh .*take an image that has a shell/],
    ["no such program", { docker: { command: ["/nothere"] } }, { exitCode: 127 }, ["[FATAL tini (7)] exec /nothere failed: No such file or directory"], /the image has no \/nothere that can be run: correct spec\.docker\.command/],
    ["a command that ends", { docker: { command: ["sh", "-c", "missing"] } }, { exitCode: 127 }, ["sh: missing: not found"], /runs for as long as spec\.docker\.command does/],
  ];
  for (const [what, spec, found, lastLines, told] of rows) {
    it(`tells how, and what to do: ${what}`, () => {
      const plan = planWorkspace(workspace({ phase: "Starting", lastEnd: lastEnd(3) }, spec), seen(instance(found), lastLines));
      assert.match(plan.condition.message, told);
      const announced = plan.steps.flatMap((step) => (step.do === "announce" ? [step.message] : []))[0]!;
      assert.equal(`its instance ${announced.slice("i1 ".length)}`, plan.condition.message.replace(" (4 times in a row)", ""));
    });
  }
  it("is quoted in plain text, and in few words", () => {
    assert.deepEqual(lastLinesOf("first\n\n\u001b[31mred\u001b[0m\u0007\r\n  two \n" + "x".repeat(300)), ["red", "two", `${"x".repeat(200)}…`]);
    assert.deepEqual(lastLinesOf(""), []);
    assert.deepEqual(lastLinesOf("begun at 1\nno file\nbegun at 2\nno file\nbegun at 3\nno file\n"), ["begun at 3", "no file"]);
  });
});

describe("the loop of a Workspace whose instance ends at once", () => {
  it("starts it ever more rarely, although its console cannot be read, and forgives it in the end", async () => {
    const world = await placingWorld(["a"]);
    try {
      world.providers.get("a")!.console = () => Promise.reject(new Error("the log is gone"));
      const engine = world.engines.get("a")!;
      const starts: number[] = [];
      let isBroken = true;
      engine.onChange((id) => {
        if (engine.instances.get(id)?.state !== "running") return;
        starts.push(world.clock.now());
        if (isBroken) engine.stop(id);
      });
      await world.create("dev");
      await world.clock.advance(60_000);
      assert.deepEqual(starts.map((time) => Math.round((time - starts[0]!) / 1000)), [0, 0, 1, 3, 7, 15, 31]);
      const { status } = await world.workspace("dev");
      assert.deepEqual([status!.phase, status!.restarts, status!.lastEnd!.inARow], ["CrashLoopBackOff", 7, 7]);
      assert.match(status!.conditions!.find(({ type }) => type === "Ready")!.message, /ended, and said last: "\(its console cannot be read: the log is gone\)" \(7 times in a row\); starting it again 32 s after that/);
      isBroken = false;
      await world.clock.advance(10_000);
      assert.equal((await world.workspace("dev")).status!.phase, "Starting", "it may end as it did before");
      await world.clock.advance(5000);
      const running = (await world.workspace("dev")).status!;
      assert.deepEqual([running.phase, running.restarts, running.lastEnd!.inARow], ["Running", 7, 7]);
      await world.clock.advance(61_000);
      assert.equal((await world.workspace("dev")).status!.lastEnd!.inARow, 0);
      assert.equal(starts.length, 8);
    } finally {
      await world.end();
    }
  });
});

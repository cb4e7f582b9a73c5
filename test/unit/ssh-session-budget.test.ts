import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { createSessionBudget, SessionDropped, SessionRefused } from "../../src/transports/ssh/session-budget.ts";
import { createSessionLimit } from "../../src/transports/ssh/session-limit.ts";
import { SshError } from "../../src/transports/ssh/ssh-error.ts";
import { TransportError } from "../../src/transports/transport.ts";

/** A machine that allows so many sessions, and forgets one that has ended a little later, as sshd does. */
function createMachine(sessionsMax: number) {
  let open = 0;
  let most = 0;
  let refusals = 0;
  return {
    open: () => {
      if (open >= sessionsMax) {
        refusals++;
        return Promise.reject(new SessionRefused("open failed"));
      }
      most = Math.max(most, ++open);
      return Promise.resolve();
    },
    end: () => void open--,
    get most() {
      return most;
    },
    get refusals() {
      return refusals;
    },
  };
}

function setUp(allowed: number, believed?: number) {
  const clock = createVirtualClock();
  return { clock, machine: createMachine(allowed), budget: createSessionBudget({ clock, where: "dev@box", limit: createSessionLimit({ clock, sessionsMax: believed }) }) };
}

describe("session budget", () => {
  it("lets so many in as it believes to be allowed, in the order they came", async () => {
    const { budget, machine, clock } = setUp(10, 2);
    const order: number[] = [];
    const taken = [1, 2, 3, 4].map(async (n) => {
      const session = await budget.take(machine.open);
      order.push(n);
      return session;
    });
    await clock.advance(0);
    assert.deepEqual([order, budget.open, budget.waiting], [[1, 2], 2, 2]);
    machine.end();
    (await taken[0]!)[Symbol.dispose]();
    await clock.advance(0);
    assert.deepEqual([order, budget.waiting], [[1, 2, 3], 1]);
  });
  it("learns what the machine allows, and loses nobody on the way", async () => {
    const { budget, machine, clock } = setUp(2);
    let done = 0;
    const all = Array.from({ length: 100 }, async () => {
      const session = await budget.take(machine.open);
      await new Promise<void>((resolve) => clock.after(50, resolve));
      // The machine notices later than we do.
      clock.after(3, machine.end);
      session[Symbol.dispose]();
      done++;
    });
    await clock.advance(20_000);
    await Promise.all(all);
    assert.deepEqual([done, machine.most, budget.open, budget.waiting, budget.limit], [100, 2, 0, 0, 2]);
  });
  it("is not fooled by a machine that has not noticed an end yet", async () => {
    const { budget, machine, clock } = setUp(3, 3);
    const sessions = await Promise.all([1, 2, 3].map(() => budget.take(machine.open)));
    sessions[0]![Symbol.dispose]();
    clock.after(5, machine.end);
    const fourth = budget.take(machine.open);
    await clock.advance(100);
    await fourth;
    assert.deepEqual([machine.refusals > 0, budget.limit, budget.open], [true, 3, 3]);
  });
  it("tries after a minute whether there is room for one more", async () => {
    const { budget, machine, clock } = setUp(1, 5);
    const first = await budget.take(machine.open);
    const second = budget.take(machine.open);
    await clock.advance(1000);
    assert.equal(budget.limit, 1);
    machine.end();
    first[Symbol.dispose]();
    await clock.advance(1000);
    await second;
    await clock.advance(60_000);
    assert.equal(budget.limit, 2);
    const refusals = machine.refusals;
    void budget.take(machine.open);
    void budget.take(machine.open);
    await clock.advance(500);
    assert.deepEqual([budget.limit, machine.refusals], [1, refusals + 1]);
  });
  it("goes up one by one when there is room again", async () => {
    const { budget, clock } = setUp(5, 5);
    const refusing = createMachine(0);
    const refused = budget.take(refusing.open).catch(() => {});
    await clock.advance(10_000);
    await refused;
    assert.equal(budget.limit, 1);
    await clock.advance(60_000);
    const machine = createMachine(5);
    for (let i = 1; i <= 7; i++) void budget.take(machine.open);
    await clock.advance(0);
    assert.deepEqual([budget.open, budget.limit, machine.refusals], [5, 5, 0]);
  });
  it("learns for all connections to the machine", async () => {
    const clock = createVirtualClock();
    const limit = createSessionLimit({ clock });
    const [one, two] = [0, 1].map(() => ({ machine: createMachine(2), budget: createSessionBudget({ clock, where: "dev@box", limit }) })) as [ReturnType<typeof setUp>, ReturnType<typeof setUp>];
    for (let i = 0; i < 3; i++) void one.budget.take(one.machine.open);
    await clock.advance(10);
    for (let i = 0; i < 5; i++) void two.budget.take(two.machine.open);
    await clock.advance(10);
    assert.deepEqual([one.budget.open, two.budget.open, two.machine.refusals], [2, 2, 0]);
    limit.renew();
    assert.equal(limit.now, 2, "a new connection starts with what was learned");
  });
  it("keeps the place of one that was refused", async () => {
    const { budget, machine, clock } = setUp(1, 3);
    const order: number[] = [];
    for (const n of [1, 2, 3, 4, 5])
      void budget.take(machine.open).then(async (session) => {
        order.push(n);
        await new Promise<void>((resolve) => clock.after(10, resolve));
        machine.end();
        session[Symbol.dispose]();
      });
    await clock.advance(5000);
    assert.deepEqual(order, [1, 2, 3, 4, 5]);
  });
  it("says that a machine opens no session at all, when it refuses with none of ours open", async () => {
    const { budget, machine, clock } = setUp(0);
    const refused = assert.rejects(budget.take(machine.open), (error) => error instanceof TransportError && !error.mayHaveRun && /dev@box.*MaxSessions/.test(error.message));
    await clock.advance(10_000);
    await refused;
    assert.deepEqual([budget.open, budget.waiting], [0, 0]);
  });
  it("opens one again that the machine did not keep, and believes in as many as before", async () => {
    const { budget, clock } = setUp(10, 4);
    let drops = 12;
    const session = budget.take(() => (drops-- > 0 ? Promise.reject(new SessionDropped("closed again")) : Promise.resolve("kept")));
    await clock.advance(2000);
    assert.equal((await session).value, "kept");
    assert.deepEqual([budget.limit, budget.open, budget.waiting], [4, 1, 0]);
  });
  it("says that a machine keeps none", async () => {
    const { budget, clock } = setUp(10);
    const failed = assert.rejects(budget.take(() => Promise.reject(new SessionDropped("no terminal here"))), (error) => error instanceof TransportError && !error.mayHaveRun && /dev@box has not kept one of 30 sessions: no terminal here; .*PermitTTY/.test(error.message));
    await clock.advance(10_000);
    await failed;
    assert.deepEqual([budget.limit, budget.open, budget.waiting], [10, 0, 0]);
  });
  it("bounds who waits, and lets who waits go", async () => {
    const { budget, machine, clock } = setUp(1, 1);
    await budget.take(machine.open);
    const abort = new AbortController();
    const gaveUp = assert.rejects(budget.take(machine.open, abort.signal), /no need/);
    const waiting = Array.from({ length: 999 }, () => budget.take(machine.open).catch((error: unknown) => error));
    await assert.rejects(budget.take(machine.open), (error) => error instanceof TransportError && !error.mayHaveRun && /1000 operations wait/.test(error.message));
    abort.abort(new Error("no need"));
    await gaveUp;
    assert.equal(budget.waiting, 999);
    const reason = new SshError("Unreachable", "gone", false);
    budget.close(reason);
    assert.ok((await Promise.all(waiting)).every((each) => each === reason));
    await assert.rejects(budget.take(machine.open), reason);
    await clock.advance(0);
  });
  it("gives a turn back when opening fails for another reason", async () => {
    const { budget, machine } = setUp(1, 1);
    await assert.rejects(budget.take(() => Promise.reject(new Error("no"))), /no/);
    (await budget.take(machine.open))[Symbol.dispose]();
    assert.equal(budget.open, 0);
  });
  it("asks holders at hand when somebody waits", async () => {
    const { budget, machine, clock } = setUp(1, 1);
    const held = await budget.take(machine.open);
    budget.onPressure(() => {
      machine.end();
      held[Symbol.dispose]();
    });
    const next = budget.take(machine.open);
    await clock.advance(0);
    assert.ok(await next);
  });
});

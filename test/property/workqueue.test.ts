import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Key } from "../../src/base/keys.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { createWorkQueue, type Priority } from "../../src/runtime/workqueue.ts";
import { checkAsync } from "./check.ts";

type Step =
  | { readonly do: "add"; readonly key: string; readonly priority: Priority }
  | { readonly do: "addAfter"; readonly key: string; readonly delayMs: number }
  | { readonly do: "take" }
  | { readonly do: "done"; readonly which: number }
  | { readonly do: "wait"; readonly ms: number };

const key = fc.constantFrom("a", "b", "c", "d");
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("add" as const), key, priority: fc.constantFrom<Priority>("user", "resync") }),
  fc.record({ do: fc.constant("addAfter" as const), key, delayMs: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ do: fc.constant("take" as const) }),
  fc.record({ do: fc.constant("done" as const), which: fc.nat(3) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 30 }) }),
);

/** a and b share one, c has its own, d none. */
const laneOf = (name: string) => ({ a: "1", b: "1", c: "2" })[name];

/** The laws, as plainly as they can be written: lists and a scan. */
class Model {
  now = 0;
  waiting: { key: string; priority: Priority }[] = [];
  out = new Set<string>();
  readonly laneMax: number;
  constructor(laneMax: number) {
    this.laneMax = laneMax;
  }
  again = new Map<string, Priority>();
  delayed = new Map<string, number>();

  add(name: string, priority: Priority) {
    if (this.out.has(name)) {
      if (this.again.get(name) !== "user") this.again.set(name, priority);
      return;
    }
    const known = this.waiting.find((each) => each.key === name);
    if (known === undefined) this.waiting.push({ key: name, priority });
    else if (known.priority === "resync" && priority === "user") {
      this.waiting = this.waiting.filter((each) => each !== known);
      this.waiting.push({ key: name, priority });
    }
  }
  addAfter(name: string, delayMs: number) {
    this.delayed.set(name, Math.min(this.delayed.get(name) ?? Infinity, this.now + delayMs));
  }
  wait(ms: number) {
    this.now += ms;
    for (const [name, due] of [...this.delayed].filter(([, due]) => due <= this.now).sort((a, b) => a[1] - b[1])) {
      this.delayed.delete(name);
      assert.ok(due <= this.now);
      this.add(name, "resync");
    }
  }
  take(): string | undefined {
    const hasRoom = (name: string) => laneOf(name) === undefined || [...this.out].filter((each) => laneOf(each) === laneOf(name)).length < this.laneMax;
    const ready = this.waiting.filter((each) => hasRoom(each.key));
    const next = ready.find((each) => each.priority === "user") ?? ready[0];
    if (next === undefined) return undefined;
    this.waiting = this.waiting.filter((each) => each !== next);
    this.out.add(next.key);
    return next.key;
  }
  done(name: string) {
    this.out.delete(name);
    const priority = this.again.get(name);
    this.again.delete(name);
    if (priority !== undefined) this.add(name, priority);
  }
}

describe("the work queue's laws", () => {
  it("hold for any sequence of steps, beside a naive model", async () => {
    await checkAsync(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 2 }), async (steps, laneKeysMax) => {
        const clock = createVirtualClock();
        const queue = createWorkQueue({ clock, random: seededRandom(1), laneOf, laneKeysMax });
        const model = new Model(laneKeysMax);
        const out: Key[] = [];
        for (const each of steps) {
          switch (each.do) {
            case "add":
              queue.add(each.key as Key, each.priority);
              model.add(each.key, each.priority);
              break;
            case "addAfter":
              queue.addAfter(each.key as Key, each.delayMs);
              model.addAfter(each.key, each.delayMs);
              break;
            case "wait":
              await clock.advance(each.ms);
              model.wait(each.ms);
              break;
            case "take": {
              const wanted = model.take();
              if (wanted === undefined) {
                const nobody = new AbortController();
                const refused = assert.rejects(queue.get(nobody.signal), /nobody/);
                nobody.abort(new Error("nobody is ready"));
                await refused;
              } else {
                const taken = await queue.get(new AbortController().signal);
                assert.equal(taken, wanted);
                out.push(taken);
              }
              break;
            }
            case "done": {
              const [given] = out.splice(each.which % Math.max(1, out.length), 1);
              if (given !== undefined) {
                queue.done(given);
                model.done(given);
              }
              break;
            }
          }
          assert.equal(new Set(out).size, out.length, "INV-2: no key is out twice");
          assert.equal(queue.depth, model.waiting.length);
        }
      }),
    );
  });
});

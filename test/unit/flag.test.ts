import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFlag } from "../../src/base/flag.ts";

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("a flag", () => {
  it("lets those through that come while it is raised, and holds others up until it is", async () => {
    const flag = createFlag();
    const passed: string[] = [];
    const wait = (name: string) => flag.raised(new AbortController().signal).then(() => passed.push(name));
    void wait("first");
    void wait("second");
    await soon();
    assert.deepEqual(passed, []);
    flag.set(true);
    await soon();
    assert.deepEqual(passed, ["first", "second"]);
    await wait("third");
    flag.set(false);
    void wait("fourth");
    await soon();
    assert.deepEqual(passed, ["first", "second", "third"]);
    flag.set(true);
    await soon();
    assert.deepEqual(passed, ["first", "second", "third", "fourth"]);
  });

  it("ends a wait with its signal", async () => {
    const flag = createFlag();
    const stop = new AbortController();
    const waiting = flag.raised(stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    flag.set(true);
    await assert.rejects(flag.raised(stop.signal), /enough/);
  });
});

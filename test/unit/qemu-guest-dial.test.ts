import assert from "node:assert/strict";
import { PassThrough, type Duplex } from "node:stream";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import type { ProviderError } from "../../src/providers/provider.ts";
import { dialGuest } from "../../src/providers/qemu/guest-dial.ts";
import { TransportError } from "../../src/transports/transport.ts";

/** A port that gives a silent stream to whoever dials, and keeps all it gave. */
function silentPort() {
  const given: PassThrough[] = [];
  return {
    given,
    dial(): Promise<Duplex> {
      const stream = new PassThrough();
      given.push(stream);
      return Promise.resolve(stream);
    },
  };
}
const never = new AbortController().signal;

describe("the way to a machine that boots", () => {
  it("is the first connection that speaks, with all it said; the others are given up", async () => {
    const clock = createVirtualClock();
    const port = silentPort();
    const found = dialGuest(port, clock, "vm", 25_000, false, never);
    await clock.advance(300);
    assert.equal(port.given.length, 3, "another one at 100 and at 225 ms");
    port.given[1]!.write("SSH-2.0-x\r\n");
    const stream = await found;
    assert.equal(stream, port.given[1]);
    assert.deepEqual(port.given.map(({ destroyed }) => destroyed), [true, false, true]);
    assert.equal((stream.read() as Buffer).toString(), "SSH-2.0-x\r\n");
  });

  it("is looked for at most once a second, by few at a time, and not after the signal", async () => {
    const clock = createVirtualClock();
    const port = silentPort();
    const ending = new AbortController();
    const looking = dialGuest(port, clock, "vm", 25_000, false, ending.signal);
    await clock.advance(60_000);
    const opened = port.given.length;
    assert.ok(opened > 60 && opened < 72, `${opened} in a minute`);
    assert.equal(port.given.filter(({ destroyed }) => !destroyed).length, 4);
    ending.abort(new Error("enough"));
    await assert.rejects(looking, /enough/);
    assert.ok(port.given.every(({ destroyed }) => destroyed));
    await clock.advance(10_000);
    assert.equal(port.given.length, opened);
  });

  it("is one connection where the machine has answered before", async () => {
    const clock = createVirtualClock();
    const port = silentPort();
    const found = dialGuest(port, clock, "vm", 25_000, true, never);
    await clock.advance(4000);
    assert.equal(port.given.length, 1);
    await clock.advance(2000);
    assert.equal(port.given.length, 2);
    port.given[0]!.write("SSH-2.0-x\r\n");
    assert.equal(await found, port.given[0]);
  });

  it("ends where nobody listens: QEMU is gone", async () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const dial = () => Promise.reject(new TransportError("refused", false, { cause: refused }));
    await assert.rejects(dialGuest({ dial }, createVirtualClock(), "vm", 25_000, false, never), (error: ProviderError) => error.reason === "NotRunning");
  });
});

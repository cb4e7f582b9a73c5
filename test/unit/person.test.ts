import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { createPerson } from "../../src/cli/person.ts";
import type { CliWorld } from "../../src/cli/world.ts";

/** A terminal that types what it is given, and notes what is shown and when nothing is. */
function terminal(isTTY = true) {
  let shown = "";
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: (raw: boolean) => modes.push(raw) });
  const stderr = Object.assign(new Writable({ write: (chunk: Buffer, _encoding, done) => void ((shown += chunk.toString()), done()) }), { isTTY });
  const giveUp = new AbortController();
  const clock = createVirtualClock();
  const person = createPerson({ stdin, stderr, clock } as unknown as CliWorld, giveUp.signal, () => (shown += "|"));
  return { person, modes, clock, giveUp, type: (text: string) => void stdin.write(text), stdin, shown: () => shown };
}

describe("createPerson", () => {
  it("takes a secret without showing it, and understands the keys that edit", async () => {
    const { person, modes, type, shown } = terminal();
    const secret = person.secret("Password: ");
    type("hux");
    type("\u007fnter2\r");
    assert.equal(await secret, "hunter2");
    assert.deepEqual([shown(), modes], ["|Password: \n", [true, false]]);
  });
  it("takes yes for yes, and all else for no", async () => {
    for (const [answer, isYes] of [["yes", true], ["Y", true], ["no", false], ["", false], ["yess", false]] as const) {
      const { person, modes, type } = terminal();
      const asked = person.confirm("Sure?");
      type(`${answer}\n`);
      assert.deepEqual([await asked, modes], [isYes, []], answer);
    }
  });
  it("ends with Ctrl-C, the terminal's end, the signal, and when nobody answers; and leaves the terminal as it was", async () => {
    const ends: readonly (readonly [(it: ReturnType<typeof terminal>) => void, RegExp])[] = [
      [({ type }) => type("x\u0003"), /given up/],
      [({ stdin }) => void stdin.end(), /closed before the answer/],
      [({ giveUp }) => giveUp.abort(new Error("interrupted")), /interrupted/],
      [({ clock }) => clock.advance(600_000), /did not finish within 600000 ms/],
    ];
    for (const [end, why] of ends) {
      const it = terminal();
      const asked = it.person.secret("Password: ");
      end(it);
      await assert.rejects(asked, why);
      assert.deepEqual(it.modes, [true, false]);
    }
  });
  it("asks nobody where there is no terminal", async () => {
    const { person, shown } = terminal(false);
    assert.equal(person.isThere, false);
    await assert.rejects(person.secret("Password: "), /no terminal/);
    assert.equal(shown(), "");
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { ExecStream } from "../../../src/transports/transport.ts";
import { eventually } from "../../harness/eventually.ts";
import { gone, started, type TransportTest } from "./place.ts";

const tty = { columns: 91, rows: 33 };

/** What the terminal has shown so far. */
function screen(stream: ExecStream) {
  let text = "";
  stream.stdout.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  return {
    text: () => text,
    shows: (what: RegExp) => eventually(() => assert.match(text, what), 5000, 20),
  };
}

export function terminalCases(test: TransportTest): void {
  test("are real, have the size asked for, and hand on the exit code", async ({ transport }) => {
    const stream = await transport.exec(["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size; exit 5"], { tty });
    const shown = screen(stream);
    assert.equal((await stream.exit).code, 5);
    assert.equal(shown.text(), "33 91\r\n");
  });
  test("show both outputs on stdout; stderr ends at once", async ({ transport }) => {
    const stream = await transport.exec(["sh", "-c", "echo out; echo err >&2"], { tty });
    const shown = screen(stream);
    stream.stderr.on("data", () => assert.fail("stderr said something"));
    await stream.exit;
    assert.equal(shown.text(), "out\r\nerr\r\n");
  });
  test("hand on arguments byte for byte", async ({ transport }) => {
    const words = ["", "it's", "$HOME", "`id`", "\\n", "*", "ü"];
    const stream = await transport.exec(["sh", "-c", 'for word; do printf "<%s>" "$word"; done', "sh", ...words], { tty });
    const shown = screen(stream);
    await stream.exit;
    assert.equal(shown.text(), words.map((word) => `<${word}>`).join(""));
  });
  test("tell the programs in them when they change size", async ({ transport }) => {
    const stream = await transport.exec(["sh", "-c", "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done"], { tty });
    const shown = screen(stream);
    await shown.shows(/ready/);
    stream.resize!(120, 40);
    await stream.exit;
    assert.match(shown.text(), /40 120/);
  });
  test("turn Ctrl-C into an interrupt, and Ctrl-D into the end of stdin", async ({ transport }) => {
    const stream = await transport.exec(["sh", "-c", "trap 'echo caught' INT; echo ready; sleep 1000; cat; echo over; exit 7"], { tty });
    const shown = screen(stream);
    await shown.shows(/ready/);
    stream.stdin.write("\u0003");
    await shown.shows(/caught/);
    stream.stdin.write("typed\n");
    await shown.shows(/typed\r\ntyped/);
    stream.stdin.write("\u0004");
    assert.equal((await stream.exit).code, 7);
    assert.match(shown.text(), /over/);
  });
  test("take what runs in them along when they end", async ({ transport }) => {
    const mark = randomUUID();
    const abort = new AbortController();
    const stream = await transport.exec(["sh", "-c", "sleep 1000 & sleep 1000; exit 0"], { tty, env: { VENDETTA_TEST_MARK: mark }, signal: abort.signal });
    stream.stdout.resume();
    await started(mark, 3);
    abort.abort(new Error("hung up"));
    await assert.rejects(stream.exit, /hung up/);
    await gone(mark);
  });
}

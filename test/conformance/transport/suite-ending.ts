import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { TransportError } from "../../../src/transports/transport.ts";
import { gone, marked, started, type TransportTest } from "./place.ts";

/** A command with a child in the background and one before it, none of which listens to SIGTERM. */
const stubborn = ["sh", "-c", "trap '' TERM HUP; sleep 1000 & sleep 1000; sleep 1000"];
const newMark = () => {
  const mark = randomUUID();
  return { mark, env: { VENDETTA_TEST_MARK: mark } };
};

export function endingCases(test: TransportTest): void {
  test("a time-out ends the command and all that it started", async ({ transport }) => {
    const { mark, env } = newMark();
    const run = transport.run(stubborn, { env, timeoutMs: 500 });
    await Promise.all([started(mark, 2), assert.rejects(run, { name: "TimeoutError" })]);
    await gone(mark);
  });
  test("an abort does so too, and rejects with its reason", async ({ transport }) => {
    const { mark, env } = newMark();
    const abort = new AbortController();
    const reason = new Error("changed my mind");
    const run = transport.run(stubborn, { env, signal: abort.signal, timeoutMs: 20_000 });
    const rejected = assert.rejects(run, (error) => error === reason);
    await started(mark, 2);
    abort.abort(reason);
    await rejected;
    await gone(mark);
  });
  test("an abort ends a command with streams", async ({ transport }) => {
    const { mark, env } = newMark();
    const abort = new AbortController();
    const stream = await transport.exec(stubborn, { env, signal: abort.signal });
    await started(mark, 2);
    abort.abort(new Error("enough"));
    stream.stdout.resume();
    stream.stderr.resume();
    await assert.rejects(stream.exit, /enough/);
    await gone(mark);
  });
  test("what is aborted before it starts never starts", async ({ transport, directory }) => {
    const ran = join(directory, "ran");
    const signal = AbortSignal.abort(new Error("too late"));
    await assert.rejects(transport.run(["touch", ran], { signal, timeoutMs: 20_000 }), /too late/);
    await assert.rejects(transport.exec(["touch", ran], { signal }), /too late/);
    assert.ok(!existsSync(ran));
  });
  test("an abort after the end changes nothing", async ({ transport }) => {
    const abort = new AbortController();
    const { stdout } = await transport.run(["echo", "well"], { signal: abort.signal, timeoutMs: 20_000 });
    abort.abort();
    assert.equal(stdout, "well\n");
  });
  test("kill ends the whole session, and is nothing after the end", async ({ transport }) => {
    const { mark, env } = newMark();
    const stream = await transport.exec(["sh", "-c", "sleep 1000 & exec sleep 1000"], { env });
    stream.stdout.resume();
    await started(mark, 2);
    stream.kill();
    assert.equal((await stream.exit).signal, "SIGTERM");
    await gone(mark);
    stream.kill("SIGKILL");
  });
  test("close ends what runs and what is connected, and refuses more", async ({ open, directory }) => {
    const { mark, env } = newMark();
    const transport = await open();
    const stream = await transport.exec(stubborn, { env });
    stream.stdout.resume();
    stream.stderr.resume();
    stream.exit.catch(() => {});
    await started(mark, 2);
    await transport.close();
    await gone(mark);
    assert.deepEqual(marked(mark), []);
    const refused = (error: unknown) => error instanceof TransportError && !error.mayHaveRun;
    await assert.rejects(transport.run(["true"], { timeoutMs: 5000 }), refused);
    await assert.rejects(transport.exec(["true"], {}), refused);
    await assert.rejects(transport.dial({ socketPath: join(directory, "none") }, AbortSignal.timeout(5000)), refused);
    await transport.close();
  });
}

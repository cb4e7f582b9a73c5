import assert from "node:assert/strict";
import { PassThrough, type Duplex } from "node:stream";
import { describe, it } from "node:test";
import type Docker from "dockerode";
import { TimeoutError } from "../../src/base/clock.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { execInContainer } from "../../src/providers/docker/docker-exec.ts";
import type { Transport } from "../../src/transports/transport.ts";

type Told = { readonly Pid: number; readonly Running: boolean; readonly ExitCode: number | null };
const runs: Told = { Pid: 4711, Running: true, ExitCode: null };
const silent = () => new TimeoutError("connecting to the Docker engine", 10_000);
const unreachable = () => new Error("lost the connection");

/** An engine with one command, whose answers to the question how it is are given in order; the last one stays. */
function engine({ answers, start }: { readonly answers: readonly (Told | (() => Error))[]; readonly start: () => Promise<Duplex> }) {
  const clock = createVirtualClock();
  const signals: string[] = [];
  let asked = 0;
  const command = {
    start,
    inspect() {
      const answer = answers[Math.min(asked++, answers.length - 1)]!;
      return typeof answer === "function" ? Promise.reject(answer()) : Promise.resolve(answer);
    },
  };
  const container = {
    exec({ Cmd }: { readonly Cmd: readonly string[] }) {
      if (Cmd[0] !== "sh") return Promise.resolve(command);
      return Promise.resolve({ start: () => Promise.resolve(void signals.push(Cmd[2]!)) });
    },
  };
  const docker = { getContainer: () => container } as unknown as Docker;
  const transport = { files: { read: () => Promise.resolve(Buffer.from("Name:\tsleep\nNSpid:\t4711\t12\n")) } } as unknown as Transport;
  const closing = new AbortController();
  const parts = { docker, transport, clock, socketPath: "/nonexistent.sock", closing: closing.signal };
  return { clock, signals, closing, asked: () => asked, exec: () => execInContainer(parts, "box", ["sleep", "4711"], {}) };
}

describe("a command in a container whose engine is far away", () => {
  it("tells its exit code after a silence", async () => {
    const stream = new PassThrough();
    const { exec, clock } = engine({ start: () => Promise.resolve(stream), answers: [silent, silent, silent, { ...runs, Running: false, ExitCode: 3 }] });
    const { exit, stdout } = await exec();
    stdout.resume();
    stream.end();
    await clock.advance(1000);
    assert.deepEqual(await exit, { code: 3, signal: undefined });
  });

  it("does not wait for ever for the exit code, nor when the engine is gone", async () => {
    for (const [answer, message] of [[silent, /did not finish within/], [unreachable, /lost the connection/]] as const) {
      const stream = new PassThrough();
      const { exec, clock, asked } = engine({ start: () => Promise.resolve(stream), answers: [answer] });
      const { exit, stdout } = await exec();
      stdout.resume();
      stream.end();
      await clock.advance(1000);
      await assert.rejects(exit, message);
      assert.equal(asked(), answer === silent ? 12 : 1);
    }
  });

  const over: Told = { ...runs, Running: false, ExitCode: 143 };
  const kills = ["TERM", "KILL"].map((name) => `kill -${name} -12 2>/dev/null || kill -${name} 12`);

  it("is ended when there is a way again: asked first, then forced", async () => {
    const stream = new PassThrough();
    const { exec, clock, signals } = engine({ start: () => Promise.resolve(stream), answers: [unreachable, unreachable, runs, runs, over] });
    const { exit } = await exec();
    stream.destroy(unreachable());
    await assert.rejects(exit, /the stream to the command broke: lost the connection/);
    await clock.advance(60_000);
    assert.deepEqual(signals, kills);
    assert.equal(clock.pending, 0, "and then it is left alone");
  });

  it("is ended though nobody learned that it had begun", async () => {
    const { exec, clock, signals } = engine({ start: () => Promise.reject(unreachable()), answers: [unreachable, runs, over] });
    await assert.rejects(exec(), /lost the connection/);
    await clock.advance(60_000);
    assert.deepEqual(signals, kills.slice(0, 1));
    assert.equal(clock.pending, 0);
  });

  it("is let go of with its machine", async () => {
    const stream = new PassThrough();
    const { exec, clock, closing, asked } = engine({ start: () => Promise.resolve(stream), answers: [unreachable] });
    const { exit } = await exec();
    stream.destroy(unreachable());
    await assert.rejects(exit);
    await clock.advance(1000);
    closing.abort();
    await clock.advance(0);
    const before = asked();
    await clock.advance(3_600_000);
    assert.deepEqual([asked(), clock.pending], [before, 0]);
  });

  it("that the engine refused is not looked for", async () => {
    const refusal = Object.assign(new Error("no such exec"), { statusCode: 404 });
    const { exec, clock, asked } = engine({ start: () => Promise.reject(refusal), answers: [runs] });
    await assert.rejects(exec(), /no such exec/);
    await clock.advance(60_000);
    assert.equal(asked(), 0);
  });
});

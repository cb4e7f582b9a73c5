import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { failedCommand, startFailureOf, withStartFailure } from "../../src/compose/start-failure.ts";
import { startFailureFilter, startFailureOf as ofDocker } from "../../src/providers/docker/exec-start-failure.ts";
import { ProviderError } from "../../src/providers/provider.ts";
import type { RunningCommand } from "../../src/server/commands.ts";

const failureOf = (error: unknown) => startFailureOf(error, "nope", "dev");
const error = (reason: string) => new ProviderError(reason, "there is no directory /x in i", true);

function commandWith(exit: RunningCommand["exit"], stdout: string, stderr: string): RunningCommand {
  const said = (words: string) => new PassThrough().end(words);
  return { stdin: new PassThrough(), stdout: said(stdout), stderr: said(stderr), exit, kill() {} };
}
const outcome = async ({ stdout, stderr, exit }: RunningCommand) => await Promise.all([text(stdout), text(stderr), exit.then(({ code }) => code)]);

describe("a command that cannot be started", () => {
  for (const [reason, code, line] of [
    ["CommandNotFound", 127, 'nope: not found in workspace "dev"'],
    ["CommandNotExecutable", 126, 'nope: cannot be run in workspace "dev"'],
    ["DirectoryNotFound", 126, "nope: there is no directory /x in i"],
  ] as const) {
    it(`ends with ${code} and a line: ${reason}`, async () => {
      const failure = failureOf(error(reason))!;
      assert.deepEqual(await outcome(failedCommand(failure, false)), ["", `${line}\n`, code]);
      assert.deepEqual(await outcome(failedCommand(failure, true)), [`${line}\r\n`, "", code]);
    });
    it(`does so when that comes out later: ${reason}`, async () => {
      for (const [terminal, expected] of [[false, ["", `${line}\n`, code]], [true, [`${line}\r\n`, "", code]]] as const) {
        assert.deepEqual(await outcome(withStartFailure(commandWith(Promise.reject(error(reason)), "", ""), failureOf, terminal)), expected);
      }
    });
  }
  it("is told from one that ran, and from a way that broke", async () => {
    assert.equal(failureOf(error("NotRunning")), undefined);
    assert.equal(failureOf(new Error("CommandNotFound")), undefined);
    assert.deepEqual(await outcome(withStartFailure(commandWith(Promise.resolve({ code: 127, signal: undefined }), "out", "err"), failureOf, false)), ["out", "err", 127]);
    await assert.rejects(withStartFailure(commandWith(Promise.reject(error("NotRunning")), "", ""), failureOf, false).exit, { reason: "NotRunning" });
  });
});

describe("what the Docker engine writes in a command's place", () => {
  const oci = "OCI runtime exec failed: exec failed: unable to start container process: ";
  for (const [message, reason] of [
    [`${oci}exec: "nope": executable file not found in $PATH: unknown\r\n`, "CommandNotFound"],
    [`OCI runtime exec failed: exec failed: container_linux.go:367: starting container process caused: exec: "/nope": stat /nope: no such file or directory: unknown\r\n`, "CommandNotFound"],
    [`${oci}exec: "/tmp": permission denied: unknown`, "CommandNotExecutable"],
    [`${oci}exec: "/tmp": is a directory: unknown`, "CommandNotExecutable"],
    [`${oci}chdir to cwd ("/x") set in config.json failed: no such file or directory: unknown`, "DirectoryNotFound"],
    [`${oci}error executing setns process: exit status 1: unknown`, undefined],
    ['exec: "nope": executable file not found in $PATH', undefined],
  ] as const) it(`means ${reason ?? "nothing known"}: ${message.slice(0, 110).trim()}`, () => assert.equal(ofDocker(message, "i", "nope", "/x")?.reason, reason));

  const through = async (isFailure: () => Promise<boolean>, ...chunks: readonly string[]) => {
    const { stdout, held } = startFailureFilter(isFailure);
    for (const chunk of chunks) stdout.write(chunk);
    const before = held();
    stdout.end();
    return [await text(stdout), before];
  };
  const yes = () => Promise.resolve(true);
  it("is held back, and dropped when it was a failure", async () => assert.deepEqual(await through(yes, "OCI run", `${oci.slice(7)}x`), ["", `${oci}x`]));
  it("is handed on when it was the command's own, or nobody knows", async () => {
    for (const isFailure of [() => Promise.resolve(false), () => Promise.reject(new Error("silence"))]) assert.deepEqual(await through(isFailure, `${oci}x`), [`${oci}x`, `${oci}x`]);
  });
  it("is nothing else: that goes on at once", async () => {
    assert.deepEqual(await through(yes, "O", "CI", " runs\n", oci), [`OCI runs\n${oci}`, ""]);
    assert.deepEqual(await through(yes, "x"), ["x", ""]);
    assert.deepEqual(await through(yes), ["", ""]);
    const long = `${oci}${"x".repeat(20_000)}`;
    assert.deepEqual(await through(yes, long, "y"), [`${long}y`, ""]);
  });
});

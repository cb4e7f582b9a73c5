import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, realpathSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { TransportError } from "../../../src/transports/transport.ts";
import type { TransportTest } from "./place.ts";

const timeoutMs = 20_000;
const sha = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
/** Prints its arguments, each ended by a newline and a mark that no argument has. */
const printArguments = ["sh", "-c", 'for word; do printf "%s<end>\\n" "$word"; done', "sh"];

/** Words that one shell or another would change. */
const hardWords = ["", " ", "  two  spaces ", "it's", '"quoted"', "$HOME", "${HOME}", "$(id)", "`id`", "*", "~", "?", "[a-z]*", "{a,b}", "\\", "\\n", "\\\\'", "!", "!!", "a\nb", "\n", "\ttab", "trailing\n", "-n", "--", "-c", "a;b", "a&b", "a|b", "a>b", "#", "%s", "=", "a=b", "ünïcödé 漢字 🦊", "\u0001\u007f\u001b[31m", "x".repeat(50_000)];

export function commandCases(test: TransportTest): void {
  test("hand on arguments byte for byte", async ({ transport }) => {
    const { stdout, code } = await transport.run([...printArguments, ...hardWords], { timeoutMs });
    assert.equal(code, 0);
    assert.equal(stdout, hardWords.map((word) => `${word}<end>\n`).join(""));
  });
  test("run a program whose own path is hard to quote", async ({ transport, directory }) => {
    const program = join(directory, "it's a $HOME program");
    await transport.files.write(program, "#!/bin/sh\necho ran \"$1\"\n", 0o700);
    assert.equal((await transport.run([program, "well"], { timeoutMs })).stdout, "ran well\n");
  });
  test("keep stdout, stderr and the exit code apart", async ({ transport }) => {
    const { stdout, stderr, code, signal, truncated } = await transport.run(["sh", "-c", "echo out; echo err >&2; exit 37"], { timeoutMs });
    assert.deepEqual({ stdout, stderr, code, signal, truncated }, { stdout: "out\n", stderr: "err\n", code: 37, signal: undefined, truncated: false });
  });
  test("tell an end by signal from an exit", async ({ transport }) => {
    const { code, signal } = await transport.run(["sh", "-c", "kill -KILL $$"], { timeoutMs });
    assert.deepEqual({ code, signal }, { code: undefined, signal: "SIGKILL" });
    assert.equal((await transport.run(["sh", "-c", "exit 137"], { timeoutMs })).code, 137);
  });
  test("give stdin and close it; none is an empty one", async ({ transport }) => {
    assert.equal((await transport.run(["cat"], { stdin: "line\n", timeoutMs })).stdout, "line\n");
    assert.equal((await transport.run(["cat"], { timeoutMs })).stdout, "");
  });
  test("do not mind a command that reads none of its stdin", async ({ transport }) => {
    const { code, stdout } = await transport.run(["sh", "-c", "exec <&-; echo done"], { stdin: Buffer.alloc(5_000_000), timeoutMs });
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "done\n" });
  });
  test("run in a working directory, else at home", async ({ transport, directory }) => {
    const cwd = join(directory, "a 'dir'");
    await transport.files.mkdir(cwd);
    assert.equal((await transport.run(["pwd"], { cwd, timeoutMs })).stdout, `${cwd}\n`);
    assert.equal((await transport.run(["pwd", "-P"], { timeoutMs })).stdout, `${realpathSync(homedir())}\n`);
  });
  test("add to the environment, and show it on no command line", async ({ transport }) => {
    const env = { SECRET: "hush-8314 it's $HOME\nand more", EMPTY: "" };
    const script = 'printf "%s|%s|" "$SECRET" "${EMPTY-unset}"; test -n "$PATH" && printf path; cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " " | grep -c "[h]ush-8314"; exit 0';
    assert.equal((await transport.run(["sh", "-c", script], { env, timeoutMs })).stdout, `${env.SECRET}||path0\n`);
  });
  test("say what cannot be started, and that it never ran", async ({ transport, directory }) => {
    const noDirectory = join(directory, "nowhere");
    const plain = join(directory, "plain");
    writeFileSync(plain, "no program", { mode: 0o644 });
    const rows: readonly (readonly [argv: readonly string[], cwd: string | undefined, code: string])[] = [
      [["no-such-program"], undefined, "ENOENT"], [[join(directory, "none")], undefined, "ENOENT"],
      [[plain], undefined, "EACCES"], [[directory], undefined, "EACCES"],
      [["touch", join(directory, "ran")], noDirectory, "ENOTDIR"],
    ];
    for (const [argv, cwd, code] of rows) {
      const failed = (error: unknown) => error instanceof TransportError && !error.mayHaveRun && error.message.includes(cwd ?? argv[0]!) && (error.cause as { code?: string }).code === code;
      await assert.rejects(transport.run(argv, { cwd, timeoutMs }), failed, argv.join(" "));
      await assert.rejects(transport.exec(argv, { cwd }), failed, argv.join(" "));
      await assert.rejects(transport.exec(argv, { cwd, tty: { columns: 80, rows: 24 } }), failed, `${argv.join(" ")} in a terminal`);
    }
    assert.ok(!existsSync(join(directory, "ran")));
  });
  test("bound what is kept of the output, and say so", async ({ transport }) => {
    const argv = ["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' o; head -c 1000 /dev/zero | tr '\\0' e >&2"];
    const cut = await transport.run(argv, { outputBytesMax: 1000, timeoutMs });
    assert.deepEqual([cut.stdout, cut.stderr, cut.truncated, cut.code], ["o".repeat(1000), "e".repeat(1000), true, 0]);
    const whole = await transport.run(argv, { outputBytesMax: 100_000, timeoutMs });
    assert.deepEqual([whole.stdout.length, whole.truncated], [100_000, false]);
  });
  test("carry 10 MB both ways, byte for byte", async ({ transport }) => {
    const data = randomBytes(10_000_000);
    const stream = await transport.exec(["cat"], {});
    const out: Buffer[] = [];
    stream.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    stream.stdin.end(data);
    assert.equal((await stream.exit).code, 0);
    assert.equal(sha(Buffer.concat(out)), sha(data));
  });
  test("let a slow reader hold a fast writer up", async ({ transport, directory }) => {
    const written = join(directory, "all-written");
    const stream = await transport.exec(["sh", "-c", 'head -c 50000000 /dev/zero; touch "$1"', "sh", written], {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(!existsSync(written), "50 MB went into a buffer");
    let bytes = 0;
    for await (const chunk of stream.stdout) bytes += (chunk as Buffer).length;
    assert.equal((await stream.exit).code, 0);
    assert.deepEqual([bytes, existsSync(written)], [50_000_000, true]);
  });
  test("tell of the exit when all output has been handed on", async ({ transport }) => {
    const stream = await transport.exec(["seq", "100000"], {});
    let text = "";
    stream.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    await stream.exit;
    assert.ok(text.endsWith("\n100000\n"));
  });
  test("run 50 at once, each with its own answer", async ({ transport }) => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => transport.run(["sh", "-c", 'cat; echo "$1"; exit "$1"', "sh", String(n)], { stdin: `in ${n}\n`, timeoutMs })));
    assert.deepEqual(answers.map(({ stdout, code }) => [stdout, code]), answers.map((_, n) => [`in ${n}\n${n}\n`, n]));
  });
}

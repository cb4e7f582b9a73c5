import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { createSupervisors } from "../../controllers/service/exec-supervisor.ts";
import { parseRun } from "../../controllers/service/run-reply.ts";
import { startLines } from "../../controllers/service/start-lines.ts";
import { controlScript } from "../../controllers/service/control-script.ts";
import { logsScript } from "../../controllers/service/logs-script.ts";
import { scriptLine, shellOfStdin } from "../../controllers/service/stdin-script.ts";
import { superviseScript } from "../../controllers/service/supervise-script.ts";
import { silentLogger } from "../../src/base/log.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { ProviderError, type Instance, type Provider } from "../../src/providers/provider.ts";
import { TransportError, type ExecStream, type ExitStatus } from "../../src/transports/transport.ts";

const shells = [["/usr/bin/dash"], ["/usr/bin/busybox", "sh"], ["/usr/bin/bash", "--posix"]] as const;

describe("the scripts", () => {
  for (const [name, script] of Object.entries({ controlScript, superviseScript, logsScript })) {
    for (const [shell, ...words] of shells) {
      it(`${name} is read without complaint by ${[shell, ...words].join(" ")}`, { skip: existsSync(shell) ? false : `${shell} is not installed` }, () => {
        execFileSync(shell, [...words, "-n", "-c", script], { stdio: ["ignore", "pipe", "pipe"] });
      });
    }
    it(`${name} fits in one argument and uses no local variable or other thing beyond POSIX`, () => {
      assert.ok(Buffer.byteLength(script) < 100_000);
      assert.doesNotMatch(script, /^\s*(local|function|declare|typeset)\b|\[\[|<\(|\$'|<<<|&>/m);
    });
  }
});

describe("a script on stdin", () => {
  for (const [shell, ...words] of shells) {
    it(`is run by ${[shell, ...words].join(" ")} byte for byte, with its arguments, its variables and the rest of stdin`, { skip: existsSync(shell) ? false : `${shell} is not installed` }, () => {
      const value = `\n '"\\$HOME \`id\` \t# \\n 日本\n`;
      const [, ...argv] = shellOfStdin("title", "a b", "c");
      const script = `
# It's a comment, and $(one) more
printf '%s|' "$0" "$@" "$v_value" '
'
while IFS= read -r v_more; do printf '%s|' "$v_more"; done`;
      const told = execFileSync(shell, [...words, ...argv], { input: `${scriptLine(script, { v_value: value })}  rest\nof it\n`, encoding: "utf8" });
      assert.equal(told, `title|a b|c|${value}|\n|  rest|of it|`);
    });
  }
  it("leaves only a short line to a list of processes", () => assert.ok(shellOfStdin("vendetta-control", "/run/vendetta").join(" ").length < 80));
});

describe("parseRun", () => {
  const parse = (line: string) => parseRun(line.split(" "));
  const base = { service: "s", number: 3, hash: "h", startedAtSeconds: 100 };
  for (const [line, state] of [
    ["run s 3 h 100 1 42 - - -", { kind: "running", pid: 42, stopRequestedAtSeconds: undefined }],
    ["run s 3 h 100 1 42 120 - -", { kind: "running", pid: 42, stopRequestedAtSeconds: 120 }],
    ["run s 3 h 100 0 - - 7 130", { kind: "exited", code: 7, atSeconds: 130, stopRequested: false }],
    ["run s 3 h 100 0 42 120 143 130", { kind: "exited", code: 143, atSeconds: 130, stopRequested: true }],
    ["run s 3 h 100 0 - - - -", { kind: "exited", code: undefined, atSeconds: undefined, stopRequested: false }],
  ] as const) {
    it(line, () => assert.deepEqual(parse(line), { ...base, state }));
  }
  for (const line of ["", "run s 3 h", "run s x h 100 0 - - - -", "end"]) it(`refuses ${JSON.stringify(line)}`, () => assert.equal(parse(line), undefined));
});

describe("startLines", () => {
  const lines = (more: Partial<Parameters<typeof startLines>[0]>) => startLines({ command: ["a"], workingDir: undefined, env: {}, ...more });
  it("is two lines, whatever is in them", () => {
    assert.equal(lines({ command: ["a", "b\nc"], workingDir: "/w", env: { A: "1\n2", B: "" } }), `set -- '/w' 'a' 'a' 'b'"$v_nl"'c'\nexport A='1'"$v_nl"'2' B=''\n`);
    assert.equal(lines({}), "set -- '' 'a' 'a'\n:\n");
    assert.equal(lines({ workingDir: "-sub" }), "set -- './-sub' 'a' 'a'\n:\n");
  });
  it("leaves to env(1) what a shell keeps for itself", () => assert.equal(lines({ env: { UID: "1000", A: "1" } }), "set -- '' 'a' env UID='1000' 'a'\nexport A='1'\n"));
  it("never tells the value it refuses", () => {
    assert.throws(() => lines({ env: { TOKEN: "secret\0" } }), (error: ProviderError) => error.reason === "InvalidSpec" && error.message.includes("TOKEN") && !error.message.includes("secret"));
  });
  for (const [what, more] of Object.entries({ "no command": { command: [] }, "an empty program": { command: [""] }, "an option as program": { command: ["-c"] }, "a bad name": { env: { "1A": "" } }, "too much": { env: { A: "x".repeat(3_000_000) } } })) {
    it(`refuses ${what}`, () => assert.throws(() => lines(more), { name: "ProviderError", reason: "InvalidSpec" }));
  }
});

/** An exec whose far side is the test. */
function fakeExec(): { readonly exec: ExecStream; readonly said: () => string; say(line: string): void; end(status: ExitStatus): void; readonly killed: string[] } {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let said = "";
  stdin.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  let end: (status: ExitStatus) => void = () => {};
  const exit = new Promise<ExitStatus>((resolve) => (end = resolve));
  const killed: string[] = [];
  // The first line is the script.
  return { exec: { stdin, stdout, stderr, exit, kill: (name = "SIGTERM") => killed.push(name) }, said: () => said.slice(said.indexOf("\n") + 1), say: (line) => stdout.write(`${line}\n`), end: (status) => end(status), killed };
}

describe("the control stream", () => {
  const signal = new AbortController().signal;
  const instance = { id: "i", startId: "1", runDir: "/run/x" } as Instance;
  const world = (exec: Provider["exec"]) => {
    const clock = createVirtualClock();
    const supervisors = createSupervisors({ clock, log: silentLogger });
    return { clock, supervisors, supervisor: supervisors.of({ exec } as Provider, instance) };
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const until = async (come: () => boolean) => {
    for (let i = 0; i < 100 && !come(); i++) await turn();
    assert.ok(come());
  };

  it("that never comes up is a time-out, killed, and tried anew by the next call", async () => {
    const fakes = [fakeExec(), fakeExec()];
    let opened = 0;
    const { clock, supervisor } = world(async () => fakes[opened++]!.exec);
    const refused = assert.rejects(supervisor.runs(signal), { name: "TimeoutError" });
    await clock.advance(10_000);
    await refused;
    await clock.advance(2_000);
    assert.deepEqual(fakes[0]!.killed, ["SIGKILL"]);
    const runs = supervisor.runs(signal);
    await turn();
    fakes[1]!.say("H boot");
    await turn();
    fakes[1]!.say("R 1 run s 1 h 5 1 42 - - -\nR 1 end");
    assert.equal((await runs)[0]!.number, 1);
    assert.equal(opened, 2);
  });

  it("of an image without a shell says what to do", async () => {
    const { supervisor } = world(() => Promise.reject(new ProviderError("CommandNotFound", "no sh", true)));
    await assert.rejects(supervisor.runs(signal), { name: "ProviderError", reason: "ShellMissing", retriable: false });
  });

  it("that ends while being opened says why", async () => {
    const fake = fakeExec();
    const { supervisor } = world(async () => fake.exec);
    const refused = assert.rejects(supervisor.runs(signal), { name: "ProviderError", reason: "RunDirUnusable", message: /Read-only file system/ });
    await turn();
    (fake.exec.stderr as PassThrough).write("mkdir: can't create '/run/x': Read-only file system\n");
    await turn();
    fake.end({ code: 70, signal: undefined });
    await refused;
  });

  it("that does not answer is given up, and a second SIGTERM is not sent over another", async () => {
    const fakes = [fakeExec(), fakeExec()];
    let opened = 0;
    const { clock, supervisor } = world(async () => {
      const fake = fakes[opened++]!;
      setImmediate(() => fake.say("H boot"));
      return fake.exec;
    });
    const refused = assert.rejects(supervisor.signal("s", 1, "TERM", signal), { name: "TimeoutError" });
    await clock.advance(10_000);
    await refused;
    const broken = assert.rejects(supervisor.signal("s", 1, "TERM", signal), (error: TransportError) => error instanceof TransportError && error.mayHaveRun);
    await until(() => fakes[1]!.said() !== "");
    assert.match(fakes[1]!.said(), /^v_signal 1 's' 1 TERM\n$/);
    fakes[1]!.end({ code: undefined, signal: "SIGKILL" });
    await broken;
    assert.equal(opened, 2);
  });

  it("that sends an endless line is given up for another", async () => {
    const fakes = [fakeExec(), fakeExec()];
    let opened = 0;
    const { supervisor } = world(async () => {
      const fake = fakes[opened++]!;
      setImmediate(() => fake.say("H boot"));
      return fake.exec;
    });
    const runs = supervisor.runs(signal);
    await until(() => fakes[0]!.said() !== "");
    fakes[0]!.exec.stdout.push("x".repeat(5_000));
    await until(() => fakes[1]!.said() !== "");
    assert.ok(fakes[0]!.exec.stdin.writableEnded);
    fakes[1]!.say("R 1 end");
    assert.deepEqual(await runs, []);
  });

  it("shares readings, but never one that began before the call", async () => {
    const fake = fakeExec();
    const { supervisor } = world(async () => fake.exec);
    const [a, b] = [supervisor.runs(signal), supervisor.runs(signal)];
    await turn();
    fake.say("H boot");
    await turn();
    const [c, d] = [supervisor.runs(signal), supervisor.runs(signal)];
    await turn();
    assert.equal(fake.said(), "v_runs 1\n");
    fake.say("R 1 end");
    await Promise.all([a, b]);
    await turn();
    assert.equal(fake.said(), "v_runs 1\nv_runs 2\n");
    fake.say("R 2 end");
    await Promise.all([c, d]);
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, afterEach, describe, it } from "node:test";
import { SshError } from "../../../src/transports/ssh/ssh-error.ts";
import type { SshOptions } from "../../../src/transports/ssh/ssh-options.ts";
import type { SshTransport } from "../../../src/transports/ssh/ssh-transport.ts";
import { TransportError } from "../../../src/transports/transport.ts";
import { eventually } from "../../harness/eventually.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../../harness/sshd.ts";
import { startTcpProxy, type TcpProxy } from "../../harness/tcp-proxy.ts";
import { gone, started } from "./place.ts";

const timeoutMs = 20_000;
const why = sshdUnavailable();
/** Dead after two seconds of silence instead of two minutes. */
const impatient: Partial<SshOptions> = { keepaliveIntervalMs: 100, keepaliveUnansweredMax: 20, reconnectMs: 20 };
const broken = (mayHaveRun: boolean) => (error: unknown) => error instanceof SshError && error.failure === "Unreachable" && error.mayHaveRun === mayHaveRun;
const marking = () => {
  const mark = randomUUID();
  return { mark, env: { VENDETTA_TEST_MARK: mark } };
};

/** Shells that wait for a line: the keeper, and one that was opened ahead. */
function waitingShells(sshd: TestSshd): number[] {
  const forked = sshd.connections();
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))!;
      return forked.includes(Number(parent)) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("read -r vendetta_line");
    } catch {
      return false; // Gone meanwhile.
    }
  });
}

describe("ssh: a connection that breaks", { timeout: 120_000, skip: why }, () => {
  let sshd: TestSshd;
  let proxy: TcpProxy;
  let transport: SshTransport;
  before(async () => {
    sshd = await startSshd();
  });
  after(() => sshd.stop());
  beforeEach(async () => {
    proxy = await startTcpProxy(sshd.port);
    transport = sshTo(sshd, { ...impatient, port: proxy.port });
  });
  afterEach(async () => {
    await transport.close();
    await proxy.close();
  });
  const file = () => join(sshd.directory, randomUUID());

  it("before anything was sent: it never ran, and runs when there is a way again", async () => {
    const path = file();
    proxy.refuse(true);
    await assert.rejects(transport.run(["touch", path], { timeoutMs }), (error) => error instanceof SshError && !error.mayHaveRun);
    assert.equal(transport.state.phase, "broken");
    assert.ok(!existsSync(path));
    proxy.refuse(false);
    assert.equal((await transport.run(["touch", path], { timeoutMs })).code, 0);
    assert.equal(transport.state.phase, "ready");
  });
  it("before the command was sent: it is sent over the next connection, once", async () => {
    const path = file();
    await transport.connect(AbortSignal.timeout(timeoutMs));
    proxy.stall();
    await transport.run(["sh", "-c", 'echo ran >>"$1"', "sh", path], { timeoutMs });
    assert.deepEqual([readFileSync(path, "utf8"), proxy.made], ["ran\n", 2]);
  });
  it("while a command runs: it may have run, and nothing of it is left", async () => {
    const { mark, env } = marking();
    const run = transport.run(["sh", "-c", "trap '' TERM HUP; sleep 1000 & sleep 1000; sleep 1000"], { env, timeoutMs });
    await Promise.all([started(mark, 2).then(() => proxy.cut()), assert.rejects(run, broken(true))]);
    await gone(mark);
  });
  it("while a command runs with its output elsewhere: nothing of it is left, either", async () => {
    const { mark, env } = marking();
    const stream = await transport.exec(["sh", "-c", "sleep 1000 >/dev/null 2>&1 </dev/null & exec sleep 1000 >/dev/null 2>&1"], { env });
    const rejected = assert.rejects(stream.exit, broken(true));
    await started(mark, 2);
    proxy.cut();
    await rejected;
    await gone(mark);
  });
  it("what has made a session of its own lives on", async () => {
    const { mark, env } = marking();
    const stream = await transport.exec(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 </dev/null & exec sleep 1000"], { env });
    stream.exit.catch(() => {});
    await started(mark, 2);
    proxy.cut();
    const left = await eventually(async () => {
      const { stdout } = await transport.run(["sh", "-c", 'grep -lz "$1" /proc/[0-9]*/environ 2>/dev/null', "sh", `VENDETTA_TEST_MARK=${mark}`], { timeoutMs });
      const pids = stdout.trim().split("\n");
      assert.equal(pids.length, 1);
      return pids[0]!;
    }, 5000);
    process.kill(Number(left.split("/")[2]), "SIGKILL");
    await gone(mark);
  });
  it("without the machine's noticing: the next connection ends what the last one left", async () => {
    const { mark, env } = marking();
    const stream = await transport.exec(["sleep", "1000"], { env });
    const rejected = assert.rejects(stream.exit, broken(true));
    await started(mark, 1);
    proxy.stall();
    await rejected;
    await transport.run(["true"], { timeoutMs });
    await gone(mark);
  });
  it("after a command: its result stands, and the next one gets a new connection", async () => {
    assert.equal((await transport.run(["echo", "one"], { timeoutMs })).stdout, "one\n");
    proxy.cut();
    await eventually(() => assert.equal(transport.state.phase, "broken"), 5000, 20);
    assert.equal((await transport.run(["echo", "two"], { timeoutMs })).stdout, "two\n");
    assert.equal(proxy.made, 2);
  });
  it("under a connection that it carries: that breaks with an error", async () => {
    const stream = await transport.dial({ host: "127.0.0.1", port: sshd.port }, AbortSignal.timeout(timeoutMs));
    const broke = new Promise<Error>((resolve) => stream.once("error", resolve));
    stream.resume();
    proxy.cut();
    assert.ok((await broke) instanceof SshError);
  });
  it("under a connection that it carries and nobody listens to: that closes, and ends nobody's process", async () => {
    const stream = await transport.dial({ host: "127.0.0.1", port: sshd.port }, AbortSignal.timeout(timeoutMs));
    const closed = new Promise<void>((resolve) => stream.once("close", resolve));
    proxy.cut();
    await closed;
    assert.ok(stream.errored instanceof SshError);
  });
  it("is lived through when it is silent for a third of what is borne", async () => {
    const phases = new Set<string>();
    const stream = await transport.exec(["cat"], {});
    let text = "";
    stream.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    transport.onState(({ phase }) => phases.add(phase));
    stream.stdin.write("before\n");
    await eventually(() => assert.equal(text, "before\n"), 5000, 20);
    proxy.stall();
    stream.stdin.write("during\n");
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal(text, "before\n");
    proxy.resume();
    await eventually(() => assert.equal(text, "before\nduring\n"), 5000, 20);
    stream.stdin.end();
    assert.equal((await stream.exit).code, 0);
    assert.deepEqual([[...phases], proxy.made], [["ready"], 1]);
  });
  it("while it is silent, whoever gives up is let go at once, however often", async () => {
    const patient = sshTo(sshd, { port: proxy.port });
    try {
      assert.equal((await patient.run(["true"], { timeoutMs })).code, 0);
      proxy.stall();
      for (let i = 0; i < 4; i++) {
        const begunMs = performance.now();
        await assert.rejects(patient.exec(["true"], { signal: AbortSignal.timeout(300) }), { name: "TimeoutError" });
        assert.ok(performance.now() - begunMs < 5000, "nobody waits for the connection to be given up");
      }
      proxy.resume();
      assert.equal((await patient.run(["true"], { timeoutMs })).code, 0, "it lives");
    } finally {
      await patient.close();
    }
  });

  it("is noticed when it is silent for longer", async () => {
    await transport.run(["true"], { timeoutMs });
    proxy.stall();
    await eventually(() => assert.equal(transport.state.phase, "broken"), 10_000, 50);
    assert.match(transport.state.phase === "broken" ? transport.state.reason : "", /no answer for 2 s/);
  });
  it("is not broken by the end of its keeper: another one takes over what that kept", async () => {
    const { mark, env } = marking();
    const abort = new AbortController();
    const stream = await transport.exec(["sleep", "1000"], { env, signal: abort.signal });
    await started(mark, 1);
    // Also the one that is opened ahead, which comes a moment after the command.
    await eventually(() => {
      const waiting = waitingShells(sshd);
      for (const pid of waiting) process.kill(pid, "SIGKILL");
      assert.deepEqual(waiting, []);
    }, 5000, 20);
    abort.abort(new Error("enough"));
    await assert.rejects(stream.exit, /enough/);
    await gone(mark);
    assert.deepEqual([(await transport.run(["echo", "on"], { timeoutMs })).stdout, proxy.made], ["on\n", 1]);
  });
  it("is not broken by the end of a shell that was opened ahead: the command gets another one", async () => {
    for (let n = 0; n < 10; n++) {
      await transport.run(["true"], { timeoutMs });
      await eventually(() => assert.ok(waitingShells(sshd).length >= 2), 5000, 5);
      // Asked for before this side can have heard of the ends.
      for (const pid of waitingShells(sshd)) process.kill(pid, "SIGKILL");
      assert.equal((await transport.run(["echo", "on"], { timeoutMs })).stdout, "on\n");
    }
    assert.equal(proxy.made, 1);
  });
  it("tells its latency", async () => {
    await transport.run(["true"], { timeoutMs });
    await eventually(() => assert.ok(transport.state.phase === "ready" && transport.state.latencyMs! >= 0), 5000, 20);
  });
  it("is tried by many at once, by one attempt", async () => {
    await Promise.all(Array.from({ length: 20 }, () => transport.run(["true"], { timeoutMs })));
    assert.equal(proxy.made, 1);
  });
  it("leaves nothing of its own on the machine", async () => {
    const stream = await transport.exec(["sh", "-c", "echo $$; exec sleep 1000"], {});
    stream.exit.catch(() => {});
    const [pid] = (await once(stream.stdout, "data")) as [Buffer];
    // The keeper's directory is the one where that command has entered itself.
    const kept = ["/dev/shm", "/tmp"].flatMap((place) => readdirSync(place).filter((name) => name.startsWith(".vendetta-")).map((name) => join(place, name))).filter((path) => existsSync(join(path, pid.toString().trim())));
    assert.equal(kept.length, 1);
    proxy.cut();
    await eventually(() => assert.deepEqual([existsSync(kept[0]!), existsSync(`${kept[0]}.gone`)], [false, false]), 5000, 20);
  });
});

describe("ssh: an sshd that ends and comes back", { timeout: 60_000, skip: why }, () => {
  it("is connected to again by the next operation", async () => {
    const sshd = await startSshd();
    const transport = sshTo(sshd, { reconnectMs: 20 });
    try {
      await transport.run(["true"], { timeoutMs });
      await sshd.kill();
      await eventually(() => assert.equal(transport.state.phase, "broken"), 5000, 20);
      await assert.rejects(transport.run(["true"], { timeoutMs }), broken(false));
      await sshd.start();
      assert.equal((await transport.run(["echo", "back"], { timeoutMs })).stdout, "back\n");
      assert.equal(Buffer.from(await transport.files.read("/etc/hostname", 1000)).length > 0, true);
    } finally {
      await transport.close();
      await sshd.stop();
    }
  });
});

describe("ssh: few sessions", { timeout: 120_000, skip: why }, () => {
  for (const [sessionsMax, atOnce] of [[1, 1], [2, 1], [4, 3]] as const)
    it(`MaxSessions ${sessionsMax}: of 100 operations none is lost, and never more than ${atOnce} are at work`, async () => {
      const sshd = await startSshd({ options: [`MaxSessions=${sessionsMax}`] });
      const transport = sshTo(sshd);
      const folder = join(sshd.directory, "at-work");
      mkdirSync(folder);
      // Each counts who is at work beside it.
      const script = 'mkdir "$1/$$"; ls "$1" | wc -l; rmdir "$1/$$"; exit "$2"';
      try {
        const answers = await Promise.all(
          Array.from({ length: 100 }, async (_, n) => {
            // Files wait for sessions, too.
            if (n % 10 === 9) return transport.files.write(join(sshd.directory, `file-${n}`), String(n)).then(() => ({ code: n, stdout: "0" }));
            return transport.run(["sh", "-c", script, "sh", folder, String(n)], { timeoutMs: 60_000 });
          }),
        );
        assert.deepEqual(answers.map(({ code }) => code), answers.map((_, n) => n));
        assert.ok(answers.every(({ stdout }) => Number(stdout) <= atOnce), `${answers.map(({ stdout }) => stdout.trim())}`);
        assert.equal(readFileSync(join(sshd.directory, "file-99"), "utf8"), "99");
        const { mark, env } = marking();
        await Promise.all([started(mark, 1), assert.rejects(transport.run(["sleep", "1000"], { env, timeoutMs: 500 }), { name: "TimeoutError" })]);
        await gone(mark);
      } finally {
        await transport.close();
        await sshd.stop();
      }
    });
  it("MaxSessions 0: says so, while connections are still carried", async () => {
    const sshd = await startSshd({ options: ["MaxSessions=0"] });
    const transport = sshTo(sshd);
    try {
      await assert.rejects(transport.run(["true"], { timeoutMs }), (error) => error instanceof TransportError && !error.mayHaveRun && /MaxSessions/.test(error.message));
      (await transport.dial({ host: "127.0.0.1", port: sshd.port }, AbortSignal.timeout(timeoutMs))).destroy();
    } finally {
      await transport.close();
      await sshd.stop();
    }
  });
});

// Test run: about 60 s.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createSupervisors } from "../../controllers/service/exec-supervisor.ts";
import { runLogBytesMax, type Run, type RunSpec, type Supervisor, type Supervisors } from "../../controllers/service/supervisor.ts";
import { silentLogger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { makeDockerPlace, makeShellPlace, placeOf, textOf, until, wait, type Place } from "./supervisor-places.ts";
import { dockerUnavailable } from "../harness/docker.ts";

const never = new AbortController().signal;
setMaxListeners(0, never);

interface World {
  readonly place: Place;
  readonly supervisors: Supervisors;
  readonly supervisor: Supervisor;
  /** Milliseconds on the monotonic clock of each hint of a service. */
  readonly hints: Map<string, number[]>;
}

function open(place: Place): World {
  const supervisors = createSupervisors({ clock: systemClock, log: silentLogger });
  const hints = new Map<string, number[]>();
  supervisors.onHint((_instance, service) => hints.set(service, [...(hints.get(service) ?? []), performance.now()]));
  return { place, supervisors, supervisor: supervisors.of(place.provider, place.instance), hints };
}

let services = 0;
const newService = () => `5e7f1ce5-0000-4000-8000-${String(++services).padStart(12, "0")}`;
const spec = (service: string, script: string, more: Partial<RunSpec> = {}): RunSpec => ({ service, name: "web", hash: "h1", command: ["sh", "-c", script], workingDir: undefined, env: {}, ...more });

async function latest(supervisor: Supervisor, service: string): Promise<Run | undefined> {
  return (await supervisor.runs(never)).find((run) => run.service === service);
}
async function ended(supervisor: Supervisor, service: string, number = 1, timeoutMs?: number): Promise<Run & { state: { kind: "exited" } }> {
  return until(`run ${number} of ${service} to end`, async () => {
    const run = await latest(supervisor, service);
    return run?.number === number && run.state.kind === "exited" && (run as Run & { state: { kind: "exited" } });
  }, timeoutMs);
}
function pidOf(run: Run | undefined): number {
  assert.equal(run?.state.kind, "running");
  return (run as Run & { state: { kind: "running" } }).state.pid;
}
async function logOf(supervisor: Supervisor, service: string, options: { previous?: boolean; tailLines?: number } = {}): Promise<string> {
  const exec = await supervisor.logs(service, { follow: false, previous: options.previous ?? false, tailLines: options.tailLines, signal: never });
  exec.stdin.end();
  return textOf(exec.stdout);
}
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!.toFixed(1);

/** The laws of a Supervisor. `dir` is the place's runDir. */
function supervisorLaws(makePlace: () => Promise<Place> | Place): void {
  let world: World;
  let supervisor: Supervisor;
  let place: Place;
  before(async () => {
    place = await makePlace();
    world = open(place);
    supervisor = world.supervisor;
  });
  after(async () => {
    await world?.supervisors.close();
    await place?.remove();
  });
  const dir = (service: string, number = 1) => `${place.instance.runDir}/${service}/${number}`;

  it("knows no runs at first", async () => {
    assert.deepEqual(await supervisor.runs(never), []);
    assert.equal(await logOf(supervisor, newService()), "");
  });

  it("starts a command in a session of its own, once", async () => {
    const service = newService();
    const run = await supervisor.start(spec(service, "exec sleep 1000"), never);
    const pid = pidOf(run);
    assert.equal(run.number, 1);
    assert.equal(run.hash, "h1");
    assert.ok(Math.abs(run.startedAtSeconds - Date.now() / 1000) < 5);
    const [, , group, session] = (await place.sh(`read -r l </proc/${pid}/stat; echo "\${l##*) }"`)).split(" ");
    assert.deepEqual([group, session], [String(pid), String(pid)]);
    assert.deepEqual(await supervisor.start(spec(service, "exec sleep 2000", { hash: "h2" }), never), run);
    assert.deepEqual(await latest(supervisor, service), run);
    await supervisor.signal(service, 1, "KILL", never);
    const { state } = await ended(supervisor, service);
    assert.equal(state.code, 137);
    assert.equal(state.stopRequested, false);
  });

  it("puts exit codes on record and hints at once", async (t) => {
    for (const code of [0, 1, 255]) {
      const service = newService();
      await supervisor.start(spec(service, `sleep 0.1; exit ${code}`), never);
      const before = world.hints.get(service)!.length;
      await until("a hint", () => world.hints.get(service)!.length > before);
      const { state } = (await latest(supervisor, service)) as Run & { state: { kind: "exited" } };
      assert.deepEqual([state.kind, state.code, state.stopRequested], ["exited", code, false]);
      assert.ok(Math.abs(state.atSeconds! - Date.now() / 1000) < 5);
    }
    const latencies: number[] = [];
    for (let i = 0; i < 20; i++) {
      const service = newService();
      await supervisor.start(spec(service, "exec sleep 1000"), never);
      const before = world.hints.get(service)!.length;
      const killedAt = performance.now();
      await supervisor.signal(service, 1, "KILL", never);
      await until("a hint", () => world.hints.get(service)!.length > before);
      latencies.push(world.hints.get(service)!.at(-1)! - killedAt);
    }
    t.diagnostic(`SIGKILL asked for → exit told: median ${median(latencies)} ms, worst ${Math.max(...latencies).toFixed(1)} ms`);
  });

  it("counts runs, keeps two, finds the newest", async () => {
    const service = newService();
    for (let number = 1; number <= 12; number++) {
      assert.equal((await supervisor.start(spec(service, `echo run ${number}`, { hash: `h${number}` }), never)).number, number);
      assert.equal((await ended(supervisor, service, number)).hash, `h${number}`);
    }
    assert.equal((await place.sh(`cd ${place.instance.runDir}/${service} && echo *`)).trim(), "11 12");
    assert.equal(await until("the log", () => logOf(supervisor, service)), "run 12\n");
    assert.equal(await logOf(supervisor, service, { previous: true }), "run 11\n");
  });

  it("hands on environment and arguments byte for byte, and never in a command line", async () => {
    const service = newService();
    const secret = `s3cret-${randomUUID()}`;
    const all = Array.from({ length: 0x250 }, (_, i) => String.fromCodePoint(i + 1)).join("") + "日本語 🐚 \u{10ffff}";
    const env = {
      SECRET: secret,
      ALL: all,
      QUOTES: `'"\`$HOME $(id) \\ \\n \\\\ ! * ? ~ # ; & | < > ( ) { } ' ''`,
      LINES: "\n\none\n\ntwo 'three'\n\n",
      EMPTY: "",
      SPACES: "  a   b  ",
      UID: "1000",
      OPTIND: "abc",
      LINENO: "line",
      RANDOM: "no",
      IFS: "abc",
      v_nl: "mine",
      v_name: "mine",
      v_setsid: "/nowhere",
      LC_ALL: "xx_YY.no-such",
      LARGE: "x'\n".repeat(20_000),
    };
    const args = ["", " ", "\n", all, "-n", "$1", "a'b"];
    await supervisor.start({ ...spec(service, ""), command: ["cat", "/proc/self/environ"], env }, never);
    await ended(supervisor, service);
    const told = await until("the environment", () => logOf(supervisor, service));
    const got = Object.fromEntries(told.split("\0").map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
    for (const [name, value] of Object.entries(env)) assert.equal(got[name], value, name);
    await supervisor.start({ ...spec(service, ""), command: ["printf", "%s\\0", ...args] }, never);
    await ended(supervisor, service, 2);
    assert.deepEqual((await until("the arguments", () => logOf(supervisor, service))).split("\0").slice(0, -1), args);
    await supervisor.start({ ...spec(service, ""), command: ["sleep", "1000"], env: { SECRET: secret } }, never);
    const lines = await place.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");
    assert.ok(lines.includes(place.instance.runDir));
    assert.ok(!lines.includes(secret));
    await supervisor.signal(service, 3, "KILL", never);
    await ended(supervisor, service, 3);
  });

  it("leaves the command the signals, umask and PATH it would have had", async () => {
    const service = newService();
    const script = "while read -r a b; do case $a in SigIgn:|SigBlk:) echo $a $b;; esac; done </proc/self/status; umask; for f in /proc/self/fd/*; do echo ${f##*/}; done; ";
    const shell = (await place.sh("command -v sh")).trim();
    await supervisor.start({ ...spec(service, ""), command: [shell, "-c", `${script} echo $PATH; pwd`], env: { PATH: "/nowhere" }, workingDir: "/tmp" }, never);
    await ended(supervisor, service);
    // An engine may ignore signals itself.
    const plain = await place.sh(script);
    assert.equal(await until("the log", () => logOf(supervisor, service)), `${plain}/nowhere\n/tmp\n`);
  });

  it("tells what is wrong with a command that cannot start", async () => {
    for (const [command, workingDir, code, message] of [
      [["no-such-program-xyz", "a"], undefined, 127, /no-such-program-xyz: command not found/],
      [["/no/such/file"], undefined, 127, /\/no\/such\/file: no such file/],
      [["/etc"], undefined, 126, /\/etc is a directory/],
      [["/etc/passwd"], undefined, 126, /\/etc\/passwd is not executable/],
      [["sh", "-c", "true"], "/no/such dir", 126, /working directory \/no\/such dir does not exist/],
    ] as const) {
      const service = newService();
      await supervisor.start({ ...spec(service, ""), command, workingDir }, never);
      assert.equal((await ended(supervisor, service)).state.code, code);
      assert.match(await until("the log", () => logOf(supervisor, service)), message);
    }
    await assert.rejects(supervisor.start({ ...spec(newService(), ""), command: [] }, never), { name: "ProviderError", reason: "InvalidSpec" });
    await assert.rejects(supervisor.start({ ...spec(newService(), ""), env: { "A B": "" } }, never), { name: "ProviderError", reason: "InvalidSpec" });
    await assert.rejects(supervisor.start({ ...spec(newService(), ""), env: { A: "\0" } }, never), { name: "ProviderError", reason: "InvalidSpec" });
    await assert.rejects(supervisor.start(spec("../../etc", ""), never), { name: "ProviderError", reason: "InvalidSpec" });
  });

  it("ends the whole session, records when it was asked to, and tells it from an end of its own", async () => {
    const service = newService();
    const script = `trap 'echo term; exit 3' TERM; sleep 1001 & (set -m; sleep 1002 & wait) & echo ready; while :; do wait; sleep 0.05; done`;
    await supervisor.start(spec(service, script), never);
    await until("both sleepers", async () => /1001[^]*1002|1002[^]*1001/.test(await place.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")) && (await logOf(supervisor, service)) !== "");
    await supervisor.signal(service, 2, "KILL", never);
    assert.equal((await latest(supervisor, service))!.state.kind, "running");
    await supervisor.signal(service, 1, "TERM", never);
    const { state } = await ended(supervisor, service);
    assert.deepEqual([state.code, state.stopRequested], [3, true]);
    assert.doesNotMatch(await place.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), /sleep 100[12] /);
  });

  it("records the first SIGTERM only, and SIGKILL ends what ignores it, children too", async () => {
    const service = newService();
    await supervisor.start(spec(service, `trap '' TERM; sleep 1003 & echo ready; while :; do sleep 0.1; done`), never);
    await until("readiness", async () => (await logOf(supervisor, service)) !== "");
    await supervisor.signal(service, 1, "TERM", never);
    const first = (await latest(supervisor, service))!.state as Run["state"] & { kind: "running" };
    assert.ok(Math.abs(first.stopRequestedAtSeconds! - Date.now() / 1000) < 5);
    await wait(1_100);
    await supervisor.signal(service, 1, "TERM", never);
    assert.deepEqual((await latest(supervisor, service))!.state, first);
    await supervisor.signal(service, 1, "KILL", never);
    const { state } = await ended(supervisor, service);
    assert.deepEqual([state.code, state.stopRequested], [137, true]);
    assert.doesNotMatch(await place.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), /sleep 1003 /);
  });

  it("clears what a command leaves behind before its exit is on record", async () => {
    const service = newService();
    await supervisor.start(spec(service, "sleep 1004 & exit 5"), never);
    assert.equal((await ended(supervisor, service)).state.code, 5);
    assert.doesNotMatch(await place.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), /sleep 1004 /);
    // The leader is gone and a stubborn child goes on: the run still lives, and can be forced.
    const stubborn = newService();
    await supervisor.start(spec(stubborn, "(trap '' TERM; while :; do sleep 0.1; done) & sleep 0.3; exit 6"), never);
    await wait(800);
    assert.equal((await latest(supervisor, stubborn))!.state.kind, "running");
    await supervisor.signal(stubborn, 1, "KILL", never);
    assert.equal((await ended(supervisor, stubborn, 1, 3_000)).state.code, 6);
  });

  it("goes on when signals hit the supervisor, and knows no code when it is killed", async () => {
    const service = newService();
    const pid = pidOf(await supervisor.start(spec(service, "echo one; sleep 1; echo two; exec sleep 1000"), never));
    const own = async () => (await place.sh(`cat ${dir(service)}/pid`)).trim().split(" ")[3]!;
    await place.sh(`kill -TERM ${await own()}; kill -HUP ${await own()}; kill -INT ${await own()}`);
    await until("output after the signals", async () => (await logOf(supervisor, service)) === "one\ntwo\n");
    assert.equal(pidOf(await latest(supervisor, service)), pid);
    await place.sh(`kill -KILL ${await own()}`);
    assert.equal(pidOf(await latest(supervisor, service)), pid);
    await supervisor.signal(service, 1, "KILL", never);
    const { state } = await ended(supervisor, service);
    assert.deepEqual([state.code, state.atSeconds, state.stopRequested], [undefined, undefined, false]);
    assert.equal((await supervisor.start(spec(service, "exit 0"), never)).number, 2);
  });

  it("never signals a process that got the pid of another", async () => {
    const service = newService();
    const other = newService();
    const pid = pidOf(await supervisor.start(spec(other, "exec sleep 1000"), never));
    // A run of long ago whose pid is the other's now, and whose supervisor's too.
    await place.sh(`mkdir -p ${dir(service)}; echo h 1 t >${dir(service)}/meta; read -r b </proc/sys/kernel/random/boot_id; echo ${pid} 12345 $b ${pid} 12345 >${dir(service)}/pid`);
    assert.deepEqual((await latest(supervisor, service))!.state, { kind: "exited", code: undefined, atSeconds: undefined, stopRequested: false });
    await supervisor.signal(service, 1, "KILL", never);
    // And one of before a reboot.
    await place.sh(`read -r l </proc/${pid}/stat; set -- \${l##*) }; echo ${pid} \${20} 00000000-0000-0000-0000-000000000000 ${pid} \${20} >${dir(service)}/pid`);
    assert.equal((await latest(supervisor, service))!.state.kind, "exited");
    await supervisor.signal(service, 1, "KILL", never);
    assert.equal(pidOf(await latest(supervisor, other)), pid);
    await supervisor.signal(other, 1, "KILL", never);
    await ended(supervisor, other);
  });

  it("gives up a start that was cut off, for good", async () => {
    const service = newService();
    await place.sh(`mkdir -p ${dir(service, 4)}; echo h 1 t >${dir(service, 4)}/meta`);
    assert.equal((await latest(supervisor, service))!.state.kind, "exited");
    assert.equal((await place.sh(`cat ${dir(service, 4)}/pid`)).trim(), "-");
    assert.equal((await supervisor.start(spec(service, "exit 0"), never)).number, 5);
  });

  it("forgets a service, but not one that runs", async () => {
    const service = newService();
    await supervisor.start(spec(service, "exec sleep 1000"), never);
    await assert.rejects(supervisor.forget(service, never), { name: "ProviderError", reason: "StillRunning" });
    await supervisor.signal(service, 1, "TERM", never);
    assert.equal((await ended(supervisor, service)).state.code, 143);
    await supervisor.forget(service, never);
    await supervisor.forget(service, never);
    assert.equal(await latest(supervisor, service), undefined);
    assert.equal((await supervisor.start(spec(service, "exit 0"), never)).number, 1);
  });

  it("bounds the log and loses no line of the newest part", async (t) => {
    const service = newService();
    const started = performance.now();
    // About 24 MB in lines of 100 bytes, in large writes.
    await supervisor.start(spec(service, `l=$(printf '%090d' 0); i=100000; while [ $i -lt 340000 ]; do echo "$i $l"; i=$((i+1)); done`), never);
    let most = 0;
    await until("the end", async () => {
      most = Math.max(most, Number(await place.sh(`cat ${dir(service)}/log ${dir(service)}/log.1 2>/dev/null | wc -c`)));
      return (await latest(supervisor, service))!.state.kind === "exited";
    }, 60_000);
    const seconds = (performance.now() - started) / 1000;
    await until("the last line", async () => (await logOf(supervisor, service, { tailLines: 1 })).startsWith("339999 "));
    assert.ok(most <= runLogBytesMax, `${most} bytes`);
    const lines = (await logOf(supervisor, service)).trimEnd().split("\n").slice(1).map((line) => Number(line.split(" ")[0]));
    assert.ok(lines.length > 10_000);
    lines.forEach((number, i) => assert.equal(number, 340_000 - lines.length + i));
    t.diagnostic(`log: ${(23.5 / seconds).toFixed(0)} MB/s, at most ${(most / 1024 / 1024).toFixed(1)} MiB kept, ${lines.length} lines at the end`);
  });

  it("follows a log over rotation and restarts, from the lines asked for, until its stdin ends", async () => {
    const service = newService();
    await supervisor.start(spec(service, `echo a; echo b; echo c; read -r x <${place.instance.runDir}/gate; i=100000; while [ $i -lt 150000 ]; do echo "$i ${"x".repeat(120)}"; i=$((i+1)); done; printf last`, { command: ["sh", "-c", `mkfifo ${place.instance.runDir}/gate; echo a; echo b; echo c; read -r x <${place.instance.runDir}/gate; i=100000; while [ $i -lt 150000 ]; do echo "$i ${"x".repeat(120)}"; i=$((i+1)); done; printf last`] }), never);
    await until("three lines", async () => (await logOf(supervisor, service)) === "a\nb\nc\n");
    const follow = await supervisor.logs(service, { follow: true, previous: false, tailLines: 2, signal: never });
    let seen = "";
    follow.stdout.setEncoding("utf8").on("data", (chunk: string) => (seen += chunk));
    await until("the last two lines", () => seen === "b\nc\n");
    await place.sh(`echo go >${place.instance.runDir}/gate`);
    await ended(supervisor, service, 1, 60_000);
    await until("the end of run 1", () => seen.endsWith("last"));
    const numbers = seen.split("\n").slice(2, -1).map((line) => Number(line.split(" ")[0]));
    assert.equal(numbers.length, 50_000);
    numbers.forEach((number, i) => assert.equal(number, 100_000 + i));
    await supervisor.start(spec(service, "echo again; exec sleep 1000"), never);
    await until("the next run's log", () => seen.endsWith("last\n--- run 1 ended with exit code 0; run 2 follows ---\nagain\n"));
    await supervisor.signal(service, 2, "KILL", never);
    await ended(supervisor, service, 2);
    await supervisor.start(spec(service, "echo third; exec sleep 1000"), never);
    await until("how run 2 ended", () => seen.endsWith("again\n--- run 2 was ended by SIGKILL; run 3 follows ---\nthird\n"));
    follow.stdin.end();
    await follow.exit;
    await supervisor.signal(service, 3, "KILL", never);
    await ended(supervisor, service, 3);
  });

  it("starts 50 services at once", async (t) => {
    const names = Array.from({ length: 50 }, newService);
    const started = performance.now();
    const runs = await Promise.all(names.map((service) => supervisor.start(spec(service, "exec sleep 1000"), never)));
    t.diagnostic(`50 starts at once: ${(performance.now() - started).toFixed(0)} ms`);
    assert.equal(new Set(runs.map(pidOf)).size, 50);
    const reading = performance.now();
    const all = await supervisor.runs(never);
    t.diagnostic(`runs() of ${all.length} services: ${(performance.now() - reading).toFixed(1)} ms`);
    for (const run of runs) assert.deepEqual(all.find((each) => each.service === run.service), run);
    // Idle services cost nothing.
    const pids = runs.map(pidOf);
    const supervisorsTicks = async () => (await place.sh(`for d in ${place.instance.runDir}/*/1; do [ -f $d/exit ] || { read -r a b c d e <$d/pid; read -r l </proc/$d/stat; set -- \${l##*) }; echo \${12} \${13}; }; done`)).trim();
    const ticks = await supervisorsTicks();
    await wait(1_000);
    assert.equal(await supervisorsTicks(), ticks);
    assert.equal(pids.length, 50);
    await Promise.all(names.map((service) => supervisor.signal(service, 1, "TERM", never)));
    for (const service of names) assert.equal((await ended(supervisor, service)).state.code, 143);
    await Promise.all(names.map((service) => supervisor.forget(service, never)));
  });

  it("tells how long a start takes", async (t) => {
    const latencies: number[] = [];
    for (let i = 0; i < 20; i++) {
      const service = newService();
      const began = performance.now();
      await supervisor.start(spec(service, "exit 0"), never);
      latencies.push(performance.now() - began);
      await ended(supervisor, service);
    }
    t.diagnostic(`start(): median ${median(latencies)} ms, worst ${Math.max(...latencies).toFixed(1)} ms`);
  });

  it("outlives its control stream, and leaves no control shell behind", async () => {
    const service = newService();
    const pid = pidOf(await supervisor.start(spec(service, "exec sleep 1000"), never));
    for (let i = 0; i < 20; i++) {
      const [control, , reader] = (await place.sh(`cat ${place.instance.runDir}/control`)).split(" ");
      const before = world.hints.get(service)?.length ?? 0;
      if (i % 3 === 0) {
        await place.sh(`kill -KILL ${control}`);
      } else if (i % 3 === 1) {
        await place.sh(`kill -KILL ${control} ${reader}`);
        // The break is told as a hint, for nobody sees exits now.
        await until("a hint of the break", () => (world.hints.get(service)?.length ?? 0) > before);
      } else {
        // A second server takes over while the first holds its stream; the first one's is ended.
        const other = open(place);
        assert.equal(pidOf(await latest(other.supervisor, service)), pid);
        await other.supervisors.close();
      }
      assert.equal(pidOf(await latest(supervisor, service)), pid);
    }
    // The shell and its reader.
    await until("two processes", async () => (await place.controlProcesses()) === 2);
    world.supervisors.release(place.instance.id);
    await until("none", async () => (await place.controlProcesses()) === 0);
    await assert.rejects(supervisor.runs(never), { name: "ProviderError", reason: "NotRunning" });
    supervisor = world.supervisors.of(place.provider, place.instance);
    assert.equal(pidOf(await latest(supervisor, service)), pid);
    await supervisor.signal(service, 1, "KILL", never);
    await ended(supervisor, service);
  });

  it("is adopted from a server that was killed", async () => {
    const service = newService();
    const run = await supervisor.start(spec(service, "exec sleep 1000"), never);
    for (let i = 0; i < 5; i++) {
      const holder = spawn(process.execPath, [fileURLToPath(import.meta.url), "hold", ...place.words], { stdio: ["ignore", "pipe", "inherit"] });
      const gone = new Promise((resolve) => holder.once("close", resolve));
      await new Promise<void>((resolve, reject) => {
        holder.stdout.once("data", () => resolve());
        holder.once("close", () => reject(new Error("the holder ended early")));
      });
      holder.kill("SIGKILL");
      await gone;
      // By itself, before anybody connects anew.
      await until("the control shell to end", async () => (await place.controlProcesses()) === 0);
      assert.deepEqual(await latest(supervisor, service), run);
    }
    await supervisor.signal(service, 1, "KILL", never);
    await ended(supervisor, service);
  });

  it("does not start twice when the answer to a start is lost", async () => {
    const service = newService();
    // The first stream that carries a start is cut after the request has been carried out, before its answer is passed on.
    let cut = false;
    const deaf: Provider = {
      ...place.provider,
      exec: async (id, argv, options) => {
        const exec = await place.provider.exec(id, argv, options);
        if (cut) return exec;
        let mine = false;
        const push = exec.stdout.push.bind(exec.stdout);
        exec.stdout.push = (chunk: unknown) => {
          // What comes behind the swallowed line, in the same write or the next, is lost as well.
          if (mine && chunk !== null) return true;
          if (chunk === null || cut || !String(chunk).includes(" run ")) return push(chunk);
          cut = true;
          mine = true;
          exec.kill("SIGKILL");
          return true;
        };
        return exec;
      },
    };
    const supervisors = createSupervisors({ clock: systemClock, log: silentLogger });
    const run = await supervisors.of(deaf, place.instance).start(spec(service, `echo x >>${place.instance.runDir}/starts`), never);
    assert.ok(cut);
    assert.equal(run.number, 1);
    await ended(supervisors.of(deaf, place.instance), service);
    assert.equal(await place.sh(`cat ${place.instance.runDir}/starts`), "x\n");
    await supervisors.close();
  });

  it("gives the signal's reason to a caller who gives up, and harms nobody else", async () => {
    const given = new AbortController();
    const first = supervisor.runs(given.signal);
    const second = supervisor.runs(never);
    given.abort(new Error("enough"));
    await assert.rejects(first, /enough/);
    assert.ok(Array.isArray(await second));
  });
}

/** Another process that holds the control stream of a place, for tests that kill it. Says "held" when it does. */
async function hold(place: Place): Promise<void> {
  const { supervisor } = open(place);
  await supervisor.runs(never);
  process.stdout.write("held\n");
  await wait(60_000);
}

if (process.argv[2] === "hold") await hold(await placeOf(process.argv.slice(3)));
else declare();

function declare(): void {
  for (const shell of ["/usr/bin/dash", "/usr/bin/busybox", "/usr/bin/bash"]) {
    const there = existsSync(shell);
    describe(`supervisor over ${shell}`, { skip: there ? false : `${shell} is not installed`, timeout: 180_000 }, () => {
      if (there) supervisorLaws(() => makeShellPlace(shell));
    });
  }
  describe("supervisor over a shell without setsid(1)", { timeout: 30_000 }, () => {
    it("says what is missing, and starts nothing", async () => {
      const place = await makeShellPlace("/usr/bin/dash", ["mkfifo", "dd", "mv", "mkdir", "rm", "cat", "date", "wc", "sleep", "tail", "tr", "env"]);
      const { supervisors, supervisor } = open(place);
      await assert.rejects(supervisor.start(spec(newService(), "true"), never), { name: "ProviderError", reason: "SetsidMissing" });
      await supervisors.close();
      await place.remove();
    });
  });
  const missing = dockerUnavailable();
  describe("supervisor in a Docker container", { skip: missing ?? false, timeout: 180_000 }, () => {
    if (missing !== undefined) return;
    supervisorLaws(() => makeDockerPlace());

    it("knows no living run after the container was restarted", async () => {
      const place = await makeDockerPlace();
      const first = open(place);
      const service = newService();
      await first.supervisor.start(spec(service, "exec sleep 1000"), never);
      const instance = await place.restart!();
      const supervisor = first.supervisors.of(place.provider, instance);
      assert.notEqual(supervisor, first.supervisor);
      await assert.rejects(first.supervisor.runs(never), { name: "ProviderError", reason: "NotRunning" });
      assert.notEqual((await latest(supervisor, service))?.state.kind, "running");
      assert.equal((await supervisor.start(spec(service, "exec sleep 1000"), never)).state.kind, "running");
      await first.supervisors.close();
      await place.remove();
    });

    it("makes room when the directory is full, and still knows exits", async () => {
      const place = await makeDockerPlace();
      const { supervisors, supervisor } = open(place);
      const [talker, other] = [newService(), newService()];
      await supervisor.start(spec(talker, "exec sleep 1000"), never);
      await place.sh(`cat /dev/zero >${place.instance.runDir}/${talker}/1/log.1`);
      const run = await supervisor.start(spec(other, "echo hello; exit 3"), never);
      assert.equal(run.number, 1);
      assert.equal((await ended(supervisor, other)).state.code, 3);
      await supervisors.close();
      await place.remove();
    });
  });
}

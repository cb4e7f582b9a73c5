// Where the supervise script lies inside an instance, and what lists of processes show of it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { createSupervisors } from "../../controllers/service/exec-supervisor.ts";
import { superviseFileName, superviseScript } from "../../controllers/service/supervise-script.ts";
import type { Run, RunSpec, Supervisor, Supervisors } from "../../controllers/service/supervisor.ts";
import { silentLogger } from "../../src/base/log.ts";
import { shQuote } from "../../src/base/sh-quote.ts";
import { systemClock } from "../../src/base/system.ts";
import { dockerUnavailable } from "../harness/docker.ts";
import { makeDockerPlace, makeShellPlace, textOf, until, type Place } from "./supervisor-places.ts";

const never = new AbortController().signal;
const spec = (name: string, script: string): RunSpec => ({ service: randomUUID(), name, hash: "h", command: ["sh", "-c", script], workingDir: undefined, env: {} });
const open = () => createSupervisors({ clock: systemClock, log: silentLogger });

async function logOf(supervisor: Supervisor, service: string): Promise<string> {
  const exec = await supervisor.logs(service, { follow: false, previous: false, tailLines: undefined, signal: never });
  exec.stdin.end();
  return textOf(exec.stdout);
}

const latest = async (supervisor: Supervisor, service: string) => (await supervisor.runs(never)).find((run) => run.service === service);
const codeOf = (run: Run | undefined) => (run?.state.kind === "exited" ? `code ${run.state.code}` : undefined);

/** Command lines there with this in them, words parted by blanks, the lines of a word by "⏎". By two programs, however many processes there are. */
async function commandLines(place: Place, part: string): Promise<readonly string[]> {
  // A file that is there, on a full disk too, and whose text is nowhere else.
  const parting = "/proc/sys/kernel/random/boot_id";
  const all = await place.sh(`set -- ${parting}; for f in /proc/[0-9]*/cmdline; do set -- "$@" $f ${parting}; done; cat "$@" 2>/dev/null | tr '\\000' ' '`);
  const bootId = all.slice(0, all.indexOf("\n") + 1);
  return all.split(bootId).map((line) => line.trim().replaceAll("\n", "⏎")).filter((line) => line.includes(part) && !line.includes(parting));
}

function fileLaws(makePlace: () => Promise<Place>, busybox: boolean): void {
  let place: Place;
  let supervisors: Supervisors;
  let supervisor: Supervisor;
  let file: string;
  before(async () => {
    place = await makePlace();
    supervisors = open();
    supervisor = supervisors.of(place.provider, place.instance);
    file = `${place.instance.runDir}/${superviseFileName}`;
  });
  after(async () => {
    await supervisors?.close();
    await place?.remove();
  });
  const runsWell = async () => {
    const { service, ...rest } = spec("well", "echo well; exit 3");
    await supervisor.start({ service, ...rest }, never);
    assert.equal(await until("its end", async () => codeOf(await latest(supervisor, service))), "code 3");
    assert.equal(await until("its log", () => logOf(supervisor, service)), "well\n");
  };

  it("shows a short line with the service's name for its supervisor and its log, and no script anywhere", async () => {
    const { service, ...rest } = spec("front-end", "sleep 1000; :");
    await supervisor.start({ service, ...rest }, never);
    const logs = await supervisor.logs(service, { follow: true, previous: false, tailLines: undefined, signal: never });
    await until("followed logs", async () => (await commandLines(place, " vendetta-logs ")).length > 0);
    // One that has not become the command yet is there for a moment. busybox runs its dd in a fork that keeps the shell's line.
    const line = `sh ${file} front-end`;
    await until("a line for each process", async () => {
      const lines = await commandLines(place, "front-end");
      assert.deepEqual(new Set(lines), new Set([line]));
      return lines.length === 2 || (lines.length === 3 && busybox);
    });
    for (const line of await commandLines(place, place.instance.runDir)) {
      assert.doesNotMatch(line, /⏎/);
      assert.ok(line.length < 140 + place.instance.runDir.length, line);
    }
    logs.stdin.end();
    await logs.exit;
    await supervisor.signal(service, 1, "KILL", never);
    await until("its end", async () => codeOf(await latest(supervisor, service)));
  });

  it("keeps the script to the user, and puts it right before the next start, whatever was done to it", async () => {
    const mode = () => place.sh(`ls -ld ${file} | cut -c1-10; cat ${file}`);
    const right = `-rw-------\n${superviseScript}\n`;
    assert.equal(await mode(), right);
    for (const harm of [
      `rm ${file}`,
      `: >${file}`,
      `echo 'echo harm >${place.instance.runDir}/harm' >>${file}`,
      `rm ${file}; mkdir -p ${file}/full`,
      `rm ${file}; echo harm >${file}.old; ln -s ${file}.old ${file}`,
      `rm -r ${file}.old; ln -s /nowhere ${file}.new; rm ${file}`,
      `mkdir -p ${file}.new/full; rm ${file}`,
      `mkfifo ${file}.new; rm ${file}`,
    ]) {
      await place.sh(harm);
      await runsWell();
      assert.equal(await mode(), right, harm);
    }
    assert.equal((await place.sh(`cd ${place.instance.runDir}; echo supervise-* harm*`)).trim(), `${superviseFileName} harm*`);
  });

  it("adopts what another version supervises, from a file or from an argument, and clears that file away", async () => {
    const script = `${superviseScript}\n# Another version.`;
    const other = `${place.instance.runDir}/supervise-0123456789ab.sh`;
    const left = [spec("of-a-file", ""), spec("of-an-argument", "")].map(({ service }) => service);
    await place.sh(`printf '%s\\n' ${shQuote(script).replaceAll(`"$v_nl"`, `"\n"`)} >${other}`);
    for (const [i, service] of left.entries()) {
      await place.sh(`cd ${place.instance.runDir} && mkdir -p ${service}/1 && echo h 1 t >${service}/1/meta && read -r boot </proc/sys/kernel/random/boot_id &&
        ${i === 0 ? "" : `text=$(cat ${other}) &&`}
        printf '%s\\n' "${service} 1 22 $boot $(command -v setsid)" "set -- '' sh sh -c 'echo old; sleep 1000; :'" : | setsid sh ${i === 0 ? other : `-c "$text" ${place.instance.runDir}/supervise`} old >/dev/null 2>&1`);
    }
    const before = await supervisor.runs(never);
    for (const service of left) assert.equal(before.find((run) => run.service === service)?.state.kind, "running");
    const next = open();
    const hinted = new Set<string>();
    next.onHint((_, service) => hinted.add(service));
    const adopting = next.of(place.provider, place.instance);
    assert.deepEqual(await adopting.runs(never), before);
    assert.equal((await place.sh(`ls ${other} 2>/dev/null`)).trim(), "");
    for (const service of left) {
      await adopting.signal(service, 1, "TERM", never);
      await until("a hint of its end", () => hinted.has(service));
      assert.equal(await until("its end", async () => codeOf(await latest(adopting, service))), "code 143");
      assert.equal(await logOf(adopting, service), "old\n");
    }
    await next.close();
  });
}

for (const shell of ["/usr/bin/dash", "/usr/bin/busybox", "/usr/bin/bash"]) {
  const there = existsSync(shell);
  describe(`the supervise script's file over ${shell}`, { skip: there ? false : `${shell} is not installed`, timeout: 60_000 }, () => {
    if (there) fileLaws(() => makeShellPlace(shell), shell.endsWith("busybox"));
  });
}

const missing = dockerUnavailable();
describe("the supervise script's file in a Docker container", { skip: missing ?? false, timeout: 120_000 }, () => {
  if (missing !== undefined) return;
  fileLaws(() => makeDockerPlace(), true);

  it("is not needed: what another user put in its place is not run, and services start all the same", async () => {
    const place = await makeDockerPlace("1000:1000");
    const supervisors = open();
    const supervisor = supervisors.of(place.provider, place.instance);
    assert.equal((await place.sh("id -u")).trim(), "1000");
    const file = `${place.instance.runDir}/${superviseFileName}`;
    const asRoot = await place.provider.exec(place.instance.id, ["sh", "-c", `echo 'echo harm >${place.instance.runDir}/harm' >${file}; chmod 0644 ${file}`], { user: "0" });
    asRoot.stdin.end();
    assert.equal((await asRoot.exit).code, 0);
    const { service, ...rest } = spec("web", "echo well; sleep 1000; :");
    const run = await supervisor.start({ service, ...rest }, never);
    assert.equal(run.state.kind, "running");
    assert.equal(await until("its log", () => logOf(supervisor, service)), "well\n");
    assert.match((await commandLines(place, `${place.instance.runDir}/supervise web`))[0]!, /^sh -c +⏎/);
    assert.equal((await place.sh(`cd ${place.instance.runDir}; echo supervise-* harm*`)).trim(), `${superviseFileName} harm*`);
    await supervisors.close();
    await place.remove();
  });

  it("is not needed: a directory too full for it starts services all the same", async () => {
    const place = await makeDockerPlace();
    const supervisors = open();
    const supervisor = supervisors.of(place.provider, place.instance);
    await supervisor.runs(never);
    // Two pages are left: one each for what is noted of a run and for its pid, when the script has not found room for its two.
    await place.sh(`cd ${place.instance.runDir} && echo x >one && echo x >two && { cat /dev/zero >fill 2>/dev/null; rm one two; }`);
    const { service, ...rest } = spec("web", "sleep 1000; :");
    const run = await supervisor.start({ service, ...rest }, never);
    assert.equal(run.state.kind, "running");
    assert.match((await commandLines(place, `${place.instance.runDir}/supervise web`))[0]!, /^sh -c +⏎/);
    assert.equal((await place.sh(`cd ${place.instance.runDir}; echo supervise-*`)).trim(), "supervise-*");
    await supervisors.close();
    await place.remove();
  });
});

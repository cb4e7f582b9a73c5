// What Nodes over SSH cost the server that holds them, at rest and after all ways to them were cut at once. Each is an sshd of its own
// with a home of its own; beside it, as many plain `ssh -N` masters that keep a connection alive and do nothing else.
import { once } from "node:events";
import { spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../../src/base/clock.ts";
import { systemClock as clock } from "../../src/base/system.ts";
import { eventually } from "../harness/eventually.ts";
import { sshdUnavailable } from "../harness/sshd.ts";
import { figure, percentile, timed } from "./figures.ts";
import { createNodesWorld, type FarMachine, type NodesWorld } from "./nodes-world.ts";
import { usageOf, type Usage } from "./usage.ts";

const counts = [1, 10, 50];
/** For what comes of the start to be over: listings, spare shells, SFTP sessions that are kept for a while. */
const settleMs = 35_000;
const windowMs = 10_000;
const windows = 6;
/** As the server asks. */
const keepaliveSeconds = 15;
/** Between the cut and the moment when all are let in again. */
const cutMs = 10_000;
const noticeMsMax = 60_000;

interface Rest {
  /** Percent of a core, one for each window. */
  readonly percents: readonly number[];
  /** MiB, one for each window. */
  readonly sizes: readonly number[];
}

/** What processes use while nobody asks for anything: all of them together, `windows` times. */
async function atRest(groups: readonly (readonly number[])[]): Promise<Rest[]> {
  const total = (pids: readonly number[]): Usage =>
    pids.map(usageOf).reduce((sum, each) => ({ cpuMs: sum.cpuMs + each.cpuMs, residentMiB: sum.residentMiB + each.residentMiB, shareMiB: sum.shareMiB + each.shareMiB }));
  const rests = groups.map(() => ({ percents: [] as number[], sizes: [] as number[] }));
  for (let window = 0; window < windows; window++) {
    const before = groups.map(total);
    const begunMs = performance.now();
    await sleep(clock, windowMs);
    const tookMs = performance.now() - begunMs;
    groups.forEach((pids, i) => {
      const after = total(pids);
      rests[i]!.percents.push((100 * (after.cpuMs - before[i]!.cpuMs)) / tookMs);
      rests[i]!.sizes.push(pids.length === 1 ? after.residentMiB : after.shareMiB);
    });
  }
  return rests;
}

const mean = (samples: readonly number[]) => samples.reduce((sum, each) => sum + each, 0) / samples.length;
const range = (samples: readonly number[], digits: number) => `${Math.min(...samples).toFixed(digits)}–${Math.max(...samples).toFixed(digits)}`;
/** The mean: what comes round once a minute is in one window only. */
const processor = ({ percents }: Rest) => `${((mean(percents) * 60) / 100).toFixed(2)} s a minute, ${mean(percents).toFixed(2)} % of a core (windows of ${windowMs / 1000} s: ${range(percents, 2)})`;
const memory = ({ sizes }: Rest) => `${percentile(sizes, 0.5).toFixed(0)} MiB (${range(sizes, 0)})`;

/** One `ssh` that holds a connection, and with it a master for others. */
async function startMaster({ name, sshd }: FarMachine, directory: string): Promise<ChildProcess> {
  const knownHosts = join(directory, `${name}.known_hosts`);
  writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
  const options = ["IdentitiesOnly=yes", `UserKnownHostsFile=${knownHosts}`, "BatchMode=yes", `ServerAliveInterval=${keepaliveSeconds}`, "ControlMaster=yes", `ControlPath=${join(directory, name)}`];
  const child = spawn("ssh", ["-N", "-F", "/dev/null", "-i", sshd.keyFile, ...options.flatMap((each) => ["-o", each]), "-p", String(sshd.port), `${sshd.user}@127.0.0.1`], { stdio: "ignore" });
  await once(child, "spawn");
  return child;
}

async function endAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(children.map(async (child) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill();
    await ended;
  }));
}

/** Everything that is on them is Ready, as the command line sees it. */
async function allReady({ cli }: NodesWorld): Promise<void> {
  for (const kind of ["nodes", "workspaces", "services"]) await cli.ok("wait", kind, "--all", "--for=condition=Ready", "--timeout=120s");
}

async function cutAll(world: NodesWorld): Promise<void> {
  const { machines } = world;
  const made = machines.map(({ proxy }) => proxy.made);
  const told = machines.map(({ sshd }) => sshd.log().length);
  for (const { proxy } of machines) {
    proxy.refuse(true);
    proxy.cut();
  }
  const noticed = await timed(() => eventually(async () => {
    const ready = await world.ready();
    if (ready > 0) throw new Error(`${ready} Nodes are Ready without a way to them`);
  }, noticeMsMax));
  await sleep(clock, Math.max(0, cutMs - noticed));
  for (const { proxy } of machines) proxy.refuse(false);
  const back = await timed(() => allReady(world));
  figure(`all ${machines.length} cut at once: until none is Ready`, `${(noticed / 1000).toFixed(1)} s`);
  figure("the ways are there again: until all is Ready", `${(back / 1000).toFixed(1)} s`);
  const each = machines.map(({ proxy }, i) => proxy.made - made[i]!);
  const dropped = machines.filter(({ sshd }, i) => /MaxStartups/.test(sshd.log().slice(told[i]))).length;
  figure("connections that took, a machine", `${mean(each).toFixed(1)} (at most ${Math.max(...each)}); held back by MaxStartups: ${dropped} machines`);
}

async function bench(world: NodesWorld): Promise<void> {
  const server = await world.cli.serverPid();
  await sleep(clock, settleMs);
  const [alone] = await atRest([[server]]);
  figure("no Node over SSH, at rest: processor", processor(alone!));
  figure("no Node over SSH, at rest: resident", memory(alone!));
  for (const count of counts) {
    await world.addMachines(count);
    const had = counts[counts.indexOf(count) - 1] ?? 0;
    const took = await timed(() => world.addNodes());
    figure(`${count - had} Nodes applied, until all is Ready`, `${(took / 1000).toFixed(1)} s`);
    const isLast = count === counts.at(-1);
    const masters = isLast ? await Promise.all(world.machines.map((machine) => startMaster(machine, world.cli.home))) : [];
    try {
      await sleep(clock, settleMs);
      const [ours, theirs] = await atRest([[server], ...(isLast ? [masters.map(({ pid }) => pid!)] : [])]);
      figure(`${count} at rest: processor`, processor(ours!), isLast ? "<= 2 % of a core" : "");
      figure(`${count} at rest: resident`, memory(ours!));
      figure(`${count} at rest: a Node`, `${((mean(ours!.percents) - mean(alone!.percents)) / count).toFixed(3)} % of a core, ${((percentile(ours!.sizes, 0.5) - percentile(alone!.sizes, 0.5)) / count).toFixed(2)} MiB`, isLast ? "<= 3 MiB" : "");
      if (theirs === undefined) continue;
      figure(`${count} \`ssh -N\` masters, alive every ${keepaliveSeconds} s: processor`, processor(theirs));
      figure("their memory, what they share counted once", memory(theirs));
    } finally {
      await endAll(masters);
    }
  }
  await cutAll(world);
}

const why = sshdUnavailable();
if (why !== undefined) figure("nodes", `left out: ${why}`);
else {
  const world = await createNodesWorld();
  try {
    await bench(world);
  } finally {
    await world.dispose();
  }
}

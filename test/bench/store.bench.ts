// What the embedded store costs, beside etcd on the same machine and disk in the same run. Not a timed test.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import jsonPatch from "fast-json-patch";
import { silentLogger } from "../../src/base/log.ts";
import { systemClock, systemRandom } from "../../src/base/system.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { openFileStore, type FileStore } from "../../src/store/file-store.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { service, workspace } from "../conformance/store/fixture.ts";
import { usageOf } from "./usage.ts";
import { startEtcd, type Etcd } from "./etcd.ts";
import { figure, latencies, ms, percentile, ratio, throughput, timed } from "./figures.ts";

const clients = 64;

function open(dir: string): Promise<FileStore> {
  return openFileStore({ dir, clock: systemClock, random: systemRandom, log: silentLogger });
}

async function withDirectory<T>(run: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "vendetta-bench-"));
  try {
    return await run(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** A Workspace as it is in use: with labels, mounts, environment and a full status. */
function input(name: string) {
  return workspace(name, {
    metadata: { labels: { app: "bench", team: "one" }, annotations: { note: "x".repeat(100) }, finalizers: ["vendetta.dev/workspace"] },
    spec: { env: { A: "1", PATH_EXTRA: "/opt/bin" }, mounts: [{ path: "/work", hostPath: "/srv/work" }, { path: "/cache", volume: "cache" }], ports: [{ port: 3000 }], resources: { cpu: "2", memory: "2Gi" } },
  });
}

function withStatus(name: string, restarts: number) {
  const condition = (type: string) => ({ type, status: "True" as const, reason: "AsWished", message: "it is as it should be", lastTransitionTime: "2026-01-31T12:00:00Z", observedGeneration: 1 });
  const status = { observedGeneration: 1, phase: "Running" as const, conditions: ["Ready", "Scheduled", "Reachable"].map(condition), nodeName: "local", instanceId: `vendetta-x-${name}`, startId: "2026", restarts };
  return { ...input(name), status };
}

const writeStatus = (store: Store, name: string, i: number) => store.updateStatus("Workspace", withStatus(name, i));

async function fill(store: Store, count: number): Promise<void> {
  await throughput(clients, Math.ceil(count / clients), (client, i) => store.create("Workspace", input(`w${client}-${i}`)));
}

/** p50 of one client, and writes a second of many. */
async function writes(put: (client: number, i: number) => Promise<unknown>): Promise<{ readonly p50: number; readonly p99: number; readonly perSecond: number }> {
  await latencies(200, (i) => put(0, i));
  const samples = await latencies(1500, (i) => put(0, 1000 + i));
  await throughput(clients, 20, (client, i) => put(client, 5000 + i));
  return { p50: percentile(samples, 0.5), p99: percentile(samples, 0.99), perSecond: await throughput(clients, 200, (client, i) => put(client, 10_000 + i)) };
}

async function againstEtcd(etcd: Etcd | undefined): Promise<void> {
  await withDirectory(async (dir) => {
    const store = await open(dir);
    for (let i = 0; i < clients; i++) await store.create("Workspace", input(`c${i}`));
    // In turns, so that a slow moment of the disk is not charged to one of them.
    const rounds: { ours: Awaited<ReturnType<typeof writes>>; theirs: Awaited<ReturnType<typeof writes>> | undefined }[] = [];
    const text = JSON.stringify(await writeStatus(store, "c0", 1));
    for (let round = 0; round < 3; round++) {
      const ours = await writes((client, i) => writeStatus(store, `c${client}`, i + round * 100_000));
      rounds.push({ ours, theirs: etcd && (await writes((client, i) => etcd.put(`/c${client}`, `${text}${i}`))) });
    }
    await store.close();
    const median = (pick: (round: (typeof rounds)[number]) => number) => percentile(rounds.map(pick), 0.5);
    const [p50, perSecond] = [median(({ ours }) => ours.p50), median(({ ours }) => ours.perSecond)];
    figure("durable status write, 1 client, p50 (p99)", `${ms(p50)} (${ms(median(({ ours }) => ours.p99))})`);
    figure(`durable status writes a second, ${clients} clients`, perSecond.toFixed(0));
    if (etcd === undefined) return figure("etcd", "not installed: no comparison");
    const [theirP50, theirPerSecond] = [median(({ theirs }) => theirs!.p50), median(({ theirs }) => theirs!.perSecond)];
    figure("etcd put of the same bytes, 1 client, p50 (p99)", `${ms(theirP50)} (${ms(median(({ theirs }) => theirs!.p99))})`);
    figure(`etcd puts a second, ${clients} clients`, theirPerSecond.toFixed(0));
    figure("p50 against etcd's", ratio(p50 / theirP50), "<= 0.6x");
    figure("writes a second against etcd's", ratio(perSecond / theirPerSecond), ">= 2x");
  });
}

async function byObjects(): Promise<void> {
  await withDirectory(async (few) => withDirectory(async (many) => {
    const [small, large] = [await open(few), await open(many)];
    await fill(small, 100);
    await fill(large, 10_000);
    const samples: Record<"small" | "large", number[]> = { small: [], large: [] };
    const rates: Record<"small" | "large", number[]> = { small: [], large: [] };
    for (let round = 0; round < 5; round++) {
      for (const [name, store] of [["small", small], ["large", large]] as const) {
        samples[name].push(...(await latencies(400, (i) => writeStatus(store, "w0-0", round * 1000 + i))));
        rates[name].push(await throughput(clients, 40, (client, i) => writeStatus(store, `w${client}-0`, round * 1000 + i)));
      }
    }
    const p50 = (name: "small" | "large") => percentile(samples[name], 0.5);
    const rate = (name: "small" | "large") => percentile(rates[name], 0.5);
    figure("write at 10,000 objects against 100, p50", `${ratio(p50("large") / p50("small"))} (${ms(p50("large"))}, ${ms(p50("small"))})`, "<= 1.2x");
    figure(`write at 10,000 objects against 100, time a write, ${clients} clients`, ratio(rate("small") / rate("large")), "<= 1.2x");
    await services(small, large);
    await Promise.all([small.close(), large.close()]);
  }));
}

/** Services are checked against each other when they are written: that must not grow either. */
async function services(small: Store, large: Store): Promise<void> {
  const create = (store: Store, from: number, count: number) => throughput(clients, Math.ceil(count / clients), (client, i) => store.create("Service", service(`s${from}-${client}-${i}`, { workspace: `w${client}-0`, port: 1000 + i + from, dependsOn: i === 0 ? [] : [{ name: `s${from}-${client}-0` }] })));
  await create(large, 1, 5000);
  const [atFew, atMany] = [await create(small, 20_000, 640), await create(large, 20_000, 640)];
  figure("creating a Service among 5,000 against among none, time each", ratio(atFew / atMany));
}

/** Of a process of its own that has just opened the store of a directory. */
async function residentMiB(dir: string): Promise<number> {
  const holder = spawn(process.execPath, [fileURLToPath(new URL("hold-store.js", import.meta.url)), dir], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(holder, "exit");
  try {
    await Promise.race([once(holder.stdout, "data"), ended.then(() => Promise.reject(new Error(`no store was opened in ${dir}`)))]);
    return usageOf(holder.pid!).residentMiB;
  } finally {
    holder.stdin.end();
    await ended;
  }
}

async function restart(): Promise<void> {
  await withDirectory(async (dir) => {
    let store = await open(dir);
    await fill(store, 10_000);
    await throughput(clients, 157, (client, i) => writeStatus(store, `w${client}-${i}`, 1));
    await store.close();
    const opened: number[] = [];
    const parsed: number[] = [];
    let bytes = 0;
    for (let round = 0; round < 12; round++) {
      parsed.push(await timed(async () => {
        bytes = 0;
        // Kept, as a store must: what is thrown away at once costs the collector nothing.
        const kept: unknown[] = [];
        for (const name of await readdir(dir)) {
          const text = await readFile(join(dir, name), "utf8");
          bytes += text.length;
          for (const line of text.split("\n")) if (line.startsWith("0")) kept.push(JSON.parse(line.slice(18)));
        }
      }));
      opened.push(await timed(async () => (store = await open(dir))));
      await store.close();
    }
    // The best of twelve: both are all CPU, and a slow moment of the machine says nothing of either.
    const [ours, plain] = [Math.min(...opened), Math.min(...parsed)];
    figure(`restart with 10,000 objects (${(bytes / 1e6).toFixed(1)} MB)`, ms(ours));
    const held = await residentMiB(dir);
    figure("memory of a process that holds them", `${held.toFixed(0)} MiB, ${(held - (await withDirectory(residentMiB))).toFixed(0)} more than with none`);
    figure("against reading and parsing the same bytes", `${ratio(ours / plain)} (${ms(plain)})`, "<= 2x");
  });
}

async function watchers(): Promise<void> {
  await withDirectory(async (dir) => {
    const store = await open(dir);
    await store.create("Workspace", input("w"));
    const controller = new AbortController();
    const fromWrite: number[] = [];
    const fromCommit: number[] = [];
    let started = 0;
    let received: number[] = [];
    const readers = Array.from({ length: 100 }, async () => {
      for await (const event of store.watch("Workspace", {}, controller.signal)) {
        received.push(performance.now());
        fromWrite.push(received.at(-1)! - started);
        void event;
      }
    });
    for (let i = 0; i < 500; i++) {
      received = [];
      started = performance.now();
      await writeStatus(store, "w", i);
      const committed = performance.now();
      await new Promise((resolve) => setImmediate(resolve));
      for (const at of received) fromCommit.push(Math.abs(at - committed));
    }
    controller.abort();
    await Promise.all(readers);
    await store.close();
    figure("write called -> each of 100 watchers, p50 / p99", `${ms(percentile(fromWrite, 0.5))} / ${ms(percentile(fromWrite, 0.99))}`, "p99 <= 10 ms");
    figure("write acknowledged <-> each of 100 watchers, p50 / p99", `${ms(percentile(fromCommit, 0.5))} / ${ms(percentile(fromCommit, 0.99))}`);
  });
}

/** What a journal record could be: the whole object, or an RFC 6902 patch from the state before. */
async function records(): Promise<void> {
  await withDirectory(async (dir) => {
    const store = await open(dir);
    await store.create("Workspace", input("w"));
    const before: Workspace = await writeStatus(store, "w", 1);
    const after: Workspace = await writeStatus(store, "w", 2);
    await store.close();
    const cost = async (run: () => string) => {
      const rounds = 20_000;
      let bytes = 0;
      const time = async () => {
        for (let i = 0; i < rounds; i++) bytes = run().length;
      };
      await time();
      return { micros: ((await timed(time)) * 1000) / rounds, bytes };
    };
    const whole = await cost(() => JSON.stringify(after));
    const patch = await cost(() => JSON.stringify(jsonPatch.compare(before, after)));
    figure("journal record of a status write: whole object", `${whole.micros.toFixed(1)} us, ${whole.bytes} bytes`);
    figure("journal record of a status write: RFC 6902 patch", `${patch.micros.toFixed(1)} us, ${patch.bytes} bytes`);
  });
}

/** What it costs to keep who owns which field: CPU only, so the disk is left out. */
async function managers(): Promise<void> {
  const store = createMemoryStore({ clock: systemClock, random: systemRandom });
  const ref = { namespace: "default", name: "w" };
  const configuration = (i: number) => ({ ...input("w"), spec: { ...input("w").spec, env: { A: String(i) } } });
  await store.create("Workspace", input("w"));
  for (let i = 0; i < 3; i++) await store.patch("Workspace", ref, { type: "apply", patch: configuration(0), force: true }, { fieldManager: `m${i}` });
  const micros = async (write: (i: number) => Promise<unknown>) => {
    const rounds = 3000;
    for (let i = 0; i < rounds; i++) await write(i);
    return `${(((await timed(async () => {
      for (let i = 0; i < rounds; i++) await write(rounds + i);
    })) * 1000) / rounds).toFixed(0)} us`;
  };
  const patch = (i: number) => ({ type: "merge", patch: { spec: { env: { B: String(i) } } } }) as const;
  figure("patch of an object with 3 managers, by nobody", await micros((i) => store.patch("Workspace", ref, patch(i))));
  figure("the same by a named manager", await micros((i) => store.patch("Workspace", ref, patch(i), { fieldManager: "editor" })));
  figure("apply that changes a field", await micros((i) => store.patch("Workspace", ref, { type: "apply", patch: configuration(i), force: true }, { fieldManager: "m0" })));
  figure("apply that changes nothing", await micros(() => store.patch("Workspace", ref, { type: "apply", patch: configuration(-1), force: true }, { fieldManager: "m0" })));
}

async function besideEtcd(): Promise<void> {
  const etcd = await startEtcd(8);
  try {
    await againstEtcd(etcd);
  } finally {
    await etcd?.[Symbol.asyncDispose]();
  }
}

const parts = { managers, besideEtcd, byObjects, restart, watchers, records };
/** `node store.bench.js restart` runs one part. */
const chosen = process.argv.slice(2);
for (const [name, run] of Object.entries(parts)) if (chosen.length === 0 || chosen.includes(name)) await run();

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, open as openFile, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { seededRandom } from "../../src/base/random.ts";
import { systemClock } from "../../src/base/system.ts";
import { sleep } from "../../src/base/clock.ts";
import { encodeFrame, readFrames } from "../../src/store/frame.ts";
import type { FileStore } from "../../src/store/file-store.ts";
import { status, take, told, workspace } from "../conformance/store/fixture.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { keepingLogger, missing, mountTmpfs, open } from "./file-store/directory.ts";

const writer = fileURLToPath(new URL("./file-store/writer.js", import.meta.url));
const journal = (dir: string) => join(dir, "journal-00000001.jsonl");
const names = async (store: FileStore) => (await store.list("Workspace")).items.map(({ metadata }) => metadata.name);

/** A closed store with these workspaces, one frame each. */
async function filled(dir: string, workspaces: readonly string[]): Promise<void> {
  const store = await open(dir);
  for (const name of workspaces) await store.create("Workspace", workspace(name));
  await store.close();
}

async function refuses(dir: string, ...words: string[]): Promise<void> {
  await assert.rejects(open(dir), (error: Error) => {
    assert.equal(error.name, "StoreOpenError", String(error.stack));
    for (const word of words) assert.ok(error.message.includes(word), `expected "${word}" in: ${error.message}`);
    return true;
  });
}

describe("file store: kill -9", () => {
  test("nothing acknowledged is lost, whatever the moment", { timeout: 120_000 }, async () => {
    await using dir = await temporaryDirectory();
    const seed = Number(process.env["SEED"] ?? 20260131);
    const random = seededRandom(seed);
    const rounds = Number(process.env["ROUNDS"] ?? 25);
    let written = 0;
    let snapshots = 0;
    for (let round = 0; round < rounds; round++) {
      const acknowledged = await writeUntilKilled(dir.path, 5 + random.next() * 250);
      written += acknowledged.length;
      const store = await open(dir.path);
      try {
        await checkAcknowledged(store, acknowledged, `seed ${seed}, round ${round}`);
      } finally {
        await store.close();
      }
      if (!(await readdir(dir.path)).includes("journal-00000001.jsonl")) snapshots++;
    }
    assert.ok(written > rounds * 5, `only ${written} writes`);
    assert.ok(snapshots > 0, "no kill came after a snapshot");
    console.log(`kill -9: ${rounds} rounds, ${written} acknowledged writes, seed ${seed}`);
  });
});

async function writeUntilKilled(dir: string, afterMs: number): Promise<readonly (readonly [name: string, sequence: number, version: number])[]> {
  const child = spawn(process.execPath, [writer, dir], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const closed = once(child, "close");
  await once(child.stdout, "data");
  await sleep(systemClock, afterMs);
  child.kill("SIGKILL");
  await closed;
  const lines = output.slice(0, output.lastIndexOf("\n")).split("\n").slice(1);
  return lines.map((line) => line.split(" ")).map(([name, sequence, version]) => [name!, Number(sequence), Number(version)]);
}

async function checkAcknowledged(store: FileStore, acknowledged: Awaited<ReturnType<typeof writeUntilKilled>>, when: string): Promise<void> {
  const { items, resourceVersion } = await store.list("Workspace");
  const stored = new Map(items.map(({ metadata, spec }) => [metadata.name, { sequence: Number(spec.env["N"]), version: Number(metadata.resourceVersion) }]));
  const last = new Map<string, readonly [sequence: number, version: number]>();
  for (const [name, sequence, version] of acknowledged) {
    assert.ok(Number(resourceVersion) >= version, `${when}: version went back`);
    last.set(name, [sequence, version]);
  }
  for (const [name, [sequence, version]] of last) {
    const found = stored.get(name);
    // Each name has one writer: at most the write after the last acknowledged one may be there too.
    if (found === undefined) assert.ok(sequence === -1 || sequence % 10 === 9, `${when}: ${name} is lost, acknowledged at ${sequence}`);
    else if (found.version === version) assert.equal(found.sequence, sequence, when);
    else assert.ok(found.version > version && found.sequence === sequence + 1, `${when}: ${name} is at ${found.sequence}, acknowledged at ${sequence}`);
  }
}

describe("file store: restart", () => {
  test("keeps objects, version and watches; the version does not go back after deleting the newest", async () => {
    await using dir = await temporaryDirectory();
    let store = await open(dir.path);
    await store.create("Workspace", workspace("a"));
    const { resourceVersion: from } = await store.list("Workspace");
    await store.create("Workspace", workspace("b"));
    const last = await store.delete("Workspace", { namespace: "default", name: "b" });
    const before = await store.list("Workspace");
    await store.close();
    store = await open(dir.path);
    assert.deepEqual(await store.list("Workspace"), before);
    assert.ok(Object.isFrozen(before.items[0]?.spec.env) && Object.isFrozen((await store.list("Workspace")).items[0]?.spec.env));
    assert.equal(before.resourceVersion, last.metadata.resourceVersion);
    const { metadata } = await store.create("Workspace", workspace("c"));
    assert.ok(Number(metadata.resourceVersion) > Number(last.metadata.resourceVersion));
    const controller = new AbortController();
    assert.deepEqual(told(await take(store.watch("Workspace", { from }, controller.signal), 3)), ["ADDED b", "DELETED b", "ADDED c"]);
    controller.abort();
    await store.close();
  });

  test("folding the journal loses nothing and keeps the directory small", async () => {
    await using dir = await temporaryDirectory();
    let store = await open(dir.path, { journalBytesMax: 30_000 });
    for (let i = 0; i < 300; i++) await store.patch("Namespace", { name: "default" }, { type: "merge", patch: { metadata: { annotations: { n: String(i), fill: "x".repeat(500) } } } });
    await store.close();
    const found = await readdir(dir.path);
    assert.equal(found.length, 2, found.join(" "));
    assert.ok(found.includes("snapshot.jsonl") && !found.includes("journal-00000001.jsonl"));
    store = await open(dir.path);
    assert.equal((await store.get("Namespace", { name: "default" })).metadata.annotations?.["n"], "299");
    assert.equal((await store.list("Namespace")).resourceVersion, "301");
    await store.close();
    for (const name of found) assert.equal((await stat(join(dir.path, name))).mode & 0o777, 0o600);
    assert.equal((await stat(dir.path)).mode & 0o777, 0o700);
  });

  test("writes after close are refused, reads are not", async () => {
    await using dir = await temporaryDirectory();
    const store = await open(dir.path);
    const pending = store.create("Workspace", workspace("a"));
    await store.close();
    await store.close();
    await pending;
    await assert.rejects(store.create("Workspace", workspace("b")), status("ServiceUnavailable", "closed"));
    assert.deepEqual(await names(store), ["a"]);
  });
});

describe("file store: torn tail", () => {
  test("a record cut at any byte is cut off, with a log line; all before it stay", { timeout: 120_000 }, async () => {
    await using dir = await temporaryDirectory();
    await filled(dir.path, ["a", "b"]);
    const bytes = await readFile(journal(dir.path));
    const { frames, end } = readFrames(bytes);
    const from = frames.at(-1)!.offset;
    for (let cut = from; cut < end; cut++) {
      // Once as the end of the file, once with the room made in advance behind it.
      for (const content of [bytes.subarray(0, cut), Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(5000)])]) {
        await writeFile(journal(dir.path), content);
        const log = keepingLogger();
        const store = await open(dir.path, { log });
        assert.deepEqual(await names(store), ["a"], `cut at ${cut}`);
        assert.equal(log.lines.length, cut === from ? 0 : 1, `cut at ${cut}: ${log.lines.join()}`);
        if (cut % 100 === 0) {
          await store.create("Workspace", workspace("c"));
          await store.close();
          const again = await open(dir.path);
          assert.deepEqual(await names(again), ["a", "c"]);
          await again.close();
        } else await store.close();
      }
    }
  });

  test("a sector of the last record that never reached the disk cuts it off; in an earlier record it is damage", () => {
    const first = encodeFrame(JSON.stringify({ a: "x".repeat(100) }));
    const big = encodeFrame(JSON.stringify({ b: "y".repeat(3000) }));
    const whole = Buffer.concat([first, big]);
    for (let sector = 0; sector * 512 < whole.length; sector++) {
      const bytes = Buffer.from(whole);
      bytes.fill(0, Math.max(first.length, sector * 512), Math.min(bytes.length, (sector + 1) * 512));
      assert.deepEqual([readFrames(bytes).rest, readFrames(bytes).end], ["torn", first.length]);
      assert.equal(readFrames(Buffer.concat([bytes, first])).rest, "damaged");
    }
  });

  test("a journal that was just being made when the server died is made anew", async () => {
    for (const content of ["", "0000", "\0\0\0\0"]) {
      await using dir = await temporaryDirectory();
      await filled(dir.path, []);
      await writeFile(journal(dir.path), content);
      const store = await open(dir.path);
      await store.create("Workspace", workspace("a"));
      await store.close();
      const again = await open(dir.path);
      assert.deepEqual(await names(again), ["a"]);
      await again.close();
    }
  });

  test("a torn journal with an empty next one goes on", async () => {
    await using dir = await temporaryDirectory();
    await filled(dir.path, ["a", "b"]);
    const bytes = await readFile(journal(dir.path));
    await writeFile(journal(dir.path), bytes.subarray(0, readFrames(bytes).end - 5));
    await writeFile(join(dir.path, "journal-00000002.jsonl"), encodeFrame(JSON.stringify({ format: "vendetta-journal", formatVersion: 1, generation: 2 })));
    const store = await open(dir.path);
    await store.create("Workspace", workspace("c"));
    await store.close();
    const again = await open(dir.path);
    assert.deepEqual(await names(again), ["a", "c"]);
    await again.close();
  });
});

describe("file store: damage", () => {
  test("a record cut short in a journal that others follow is a loss, not a torn tail", async () => {
    await using dir = await temporaryDirectory();
    await filled(dir.path, ["a", "b"]);
    const bytes = await readFile(journal(dir.path));
    const { end } = readFrames(bytes);
    const header = encodeFrame(JSON.stringify({ format: "vendetta-journal", formatVersion: 1, generation: 2 }));
    const later = encodeFrame(JSON.stringify([{ v: 4, gone: ["Workspace", "default", "a"] }]));
    const next = join(dir.path, "journal-00000002.jsonl");
    await writeFile(next, Buffer.concat([header, later]));
    await writeFile(journal(dir.path), bytes.subarray(0, end - 5));
    await refuses(dir.path, journal(dir.path), "does not match");
    // Whole, the two are one history; with a version missing between them they are not.
    await writeFile(journal(dir.path), bytes.subarray(0, end));
    await (await open(dir.path)).close();
    await writeFile(journal(dir.path), bytes.subarray(0, readFrames(bytes).frames.at(-1)!.offset));
    await refuses(dir.path, next, "version 3 is missing, 4 follows");
  });

  test("any flipped bit is found, the last record's too", async () => {
    await using dir = await temporaryDirectory();
    await filled(dir.path, ["a", "b"]);
    const bytes = await readFile(journal(dir.path));
    const { end } = readFrames(bytes);
    for (const content of [bytes.subarray(0, end), bytes]) {
      for (let bit = 0; bit < end * 8; bit++) {
        const flipped = Buffer.from(content.subarray(0, end + 600));
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        assert.equal(readFrames(flipped).rest, "damaged", `bit ${bit} of ${end * 8}`);
      }
    }
  });

  test("opening fails, names file, place and next step, and changes nothing", async () => {
    await using dir = await temporaryDirectory();
    await filled(dir.path, ["a", "b", "c"]);
    for (const name of ["journal-00000001.jsonl", "snapshot.jsonl"]) {
      const path = join(dir.path, name);
      const bytes = await readFile(path);
      const { end, frames } = readFrames(bytes);
      for (let at = 0; at < end; at += 37) {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= 4;
        await writeFile(path, flipped);
        const offset = frames.findLast((frame) => frame.offset <= at)!.offset;
        await refuses(dir.path, path, `damaged at byte ${offset}`, "backup");
        assert.deepEqual(await readFile(path), flipped);
      }
      await writeFile(path, bytes);
    }
    const store = await open(dir.path);
    assert.deepEqual(await names(store), ["a", "b", "c"]);
    await store.close();
  });

  test("a missing file is a loss, not an empty store", async () => {
    await using dir = await temporaryDirectory();
    await filled(join(dir.path, "a"), ["a"]);
    await cp(join(dir.path, "a"), join(dir.path, "b"), { recursive: true });
    await rm(join(dir.path, "a/snapshot.jsonl"));
    await refuses(join(dir.path, "a"), "no snapshot.jsonl", "backup");
    await rm(join(dir.path, "b/journal-00000001.jsonl"));
    await refuses(join(dir.path, "b"), "journal-00000001.jsonl is missing", "backup");
  });

  test("a format of a later vendetta is refused", async () => {
    await using dir = await temporaryDirectory();
    await filled(dir.path, []);
    await writeFile(join(dir.path, "snapshot.jsonl"), encodeFrame(JSON.stringify({ format: "vendetta-snapshot", formatVersion: 99 })));
    await refuses(dir.path, "format vendetta-snapshot 99", "newer vendetta");
  });
});

describe("file store: a disk that fails", () => {
  test("full: writes fail and say so, reads go on, nothing is lost, and writes succeed when there is room", async (t: TestContext) => {
    await using dir = await temporaryDirectory();
    await using mount = mountTmpfs(dir.path, "size=3m,mode=700");
    if (mount === undefined) return t.skip(missing("mounting a tmpfs is not permitted here"));
    const log = keepingLogger();
    const store = await open(join(dir.path, "s"), { log, journalBytesMax: 100_000 });
    const acknowledged = await fillUp(store);
    assert.ok(acknowledged.length > 10);
    await assert.rejects(store.create("Workspace", big("more")), status("ServiceUnavailable", "the disk is full", "free some space"));
    assert.deepEqual(await names(store), acknowledged);
    // A copy of what is on the full disk opens elsewhere: no half record is in the way.
    await using elsewhere = await temporaryDirectory();
    await cp(join(dir.path, "s"), elsewhere.path, { recursive: true, filter: (path) => !path.endsWith("lock") });
    const copy = await open(elsewhere.path);
    assert.deepEqual(await names(copy), acknowledged);
    await copy.close();
    mount.remount("size=12m");
    await store.create("Workspace", big("zz"));
    await store.close();
    const again = await open(join(dir.path, "s"));
    assert.deepEqual(await names(again), [...acknowledged, "zz"]);
    await again.close();
    assert.ok(log.lines.some((line) => line.includes("disk is full")));
  });

  test("full while opening: a clear error", async (t: TestContext) => {
    await using dir = await temporaryDirectory();
    await using mount = mountTmpfs(dir.path, "size=64k,mode=700");
    if (mount === undefined) return t.skip(missing("mounting a tmpfs is not permitted here"));
    await writeFile(join(dir.path, "filler"), Buffer.alloc(60_000)).catch(() => {});
    await refuses(join(dir.path, "s"), "no space is left", "free some");
  });

  test("a failed sync stops the store: pending and later writes fail, reads go on, a restart finds all that was acknowledged", async (t: TestContext) => {
    await using dir = await temporaryDirectory();
    const store = await open(dir.path);
    await store.create("Workspace", workspace("a"));
    const probe = await openFile(journal(dir.path), "r");
    const FileHandle = Object.getPrototypeOf(probe) as { write: () => Promise<never>; datasync: () => Promise<never> };
    await probe.close();
    const fail = () => Promise.reject(Object.assign(new Error("EIO: i/o error, write"), { code: "EIO" }));
    t.mock.method(FileHandle, "write", fail);
    t.mock.method(FileHandle, "datasync", fail);
    const pending = ["b", "c"].map((name) => store.create("Workspace", workspace(name)));
    // Decided on a write that is lost: its answer is lost too.
    pending.push(store.create("Workspace", workspace("b")));
    for (const each of await Promise.allSettled(pending)) assert.ok(each.status === "rejected" && status("ServiceUnavailable", "i/o error", "restart the server")(each.reason));
    t.mock.restoreAll();
    await assert.rejects(store.create("Workspace", workspace("d")), status("ServiceUnavailable", "restart the server"));
    await assert.rejects(store.delete("Workspace", { namespace: "default", name: "a" }), status("ServiceUnavailable"));
    assert.deepEqual(await names(store), ["a"]);
    await store.close();
    const again = await open(dir.path);
    assert.deepEqual(await names(again), ["a"]);
    await again.close();
  });

  test("nobody sees a write before it is durable", async (t: TestContext) => {
    await using dir = await temporaryDirectory();
    const store = await open(dir.path);
    const probe = await openFile(journal(dir.path), "r");
    const FileHandle = Object.getPrototypeOf(probe) as { write: (...args: unknown[]) => Promise<unknown> };
    await probe.close();
    const write = FileHandle.write;
    let openGate!: () => void;
    const gate = new Promise<void>((resolve) => (openGate = resolve));
    t.mock.method(FileHandle, "write", async function (this: unknown, ...args: unknown[]) {
      await gate;
      return write.apply(this, args);
    });
    const controller = new AbortController();
    const seen = take(store.watch("Workspace", {}, controller.signal), 1);
    const made = store.create("Workspace", workspace("a"));
    // The same again answers AlreadyExists, but only when that is so.
    let settled = false;
    const second = store.create("Workspace", workspace("a")).finally(() => (settled = true));
    second.catch(() => {});
    await sleep(systemClock, 30);
    assert.deepEqual(await names(store), []);
    assert.equal(settled, false);
    openGate();
    await made;
    await assert.rejects(second, status("AlreadyExists"));
    assert.deepEqual(told(await seen), ["ADDED a"]);
    controller.abort();
    t.mock.restoreAll();
    await store.close();
  });

  test("a snapshot that cannot be written is no harm", async (t: TestContext) => {
    await using dir = await temporaryDirectory();
    const log = keepingLogger();
    const store = await open(dir.path, { log, journalBytesMax: 10_000 });
    const probe = await openFile(journal(dir.path), "r");
    const FileHandle = Object.getPrototypeOf(probe) as { writeFile: () => Promise<never> };
    await probe.close();
    t.mock.method(FileHandle, "writeFile", () => Promise.reject(Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })));
    for (let i = 0; i < 40; i++) await store.create("Workspace", workspace(`w${i}`));
    await sleep(systemClock, 50);
    assert.ok(log.lines.some((line) => line.includes("cannot fold the journal")), log.lines.join());
    t.mock.restoreAll();
    await store.close();
    const again = await open(dir.path);
    assert.equal((await names(again)).length, 40);
    await again.close();
  });
});

describe("file store: opening", () => {
  test("a second one is told who holds the directory", async () => {
    await using dir = await temporaryDirectory();
    const child = spawn(process.execPath, [writer, dir.path], { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.on("data", () => {});
    await once(child.stdout, "data");
    await refuses(dir.path, `process ${child.pid} holds it`, dir.path, "stop that server");
    child.kill("SIGKILL");
    await once(child, "close");
    const store = await open(dir.path);
    await refuses(dir.path, `this process (pid ${process.pid}) holds it`);
    await store.close();
  });

  test("of many at once one gets it", async () => {
    await using dir = await temporaryDirectory();
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => open(dir.path)));
    const opened = results.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    assert.equal(opened.length, 1);
    await opened[0]!.close();
    await (await open(dir.path)).close();
  });

  test("a lock file left by a dead process, or by an earlier one with the same pid, is taken over; another machine's is not", async () => {
    await using dir = await temporaryDirectory();
    const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const lock = (holder: object) => writeFile(join(dir.path, "lock"), JSON.stringify({ pid: process.pid, startTime: "1", bootId, hostname: hostname(), ...holder }));
    for (const holder of [{}, { pid: 4_194_305 }, { bootId: "an earlier boot" }]) {
      await lock(holder);
      await (await open(dir.path)).close();
    }
    await writeFile(join(dir.path, "lock"), "");
    await (await open(dir.path)).close();
    await lock({ hostname: "elsewhere", pid: 7 });
    await refuses(dir.path, "process 7 on elsewhere holds it", `remove ${join(dir.path, "lock")}`);
  });

  test("read-only file system", async (t: TestContext) => {
    await using dir = await temporaryDirectory();
    await using mount = mountTmpfs(dir.path, "size=3m,mode=700");
    if (mount === undefined) return t.skip(missing("mounting a tmpfs is not permitted here"));
    await filled(join(dir.path, "s"), ["a"]);
    mount.remount("ro");
    await refuses(join(dir.path, "s"), join(dir.path, "s"), "read-only file system", "VENDETTA_HOME");
  });

  test("no permission", async () => {
    await using dir = await temporaryDirectory();
    const inner = join(dir.path, "inner");
    await mkdir(inner, { mode: 0o500 });
    if (process.getuid?.() !== 0) {
      await chmod(inner, 0o500);
      return await refuses(join(inner, "s"), join(inner, "s"), "no permission", "chown");
    }
    // Root may write everywhere: ask as somebody else.
    await chmod(dir.path, 0o755);
    await chmod(inner, 0o755);
    const script = `import("${new URL("./file-store/directory.js", import.meta.url).href}").then(({ open }) => open(${JSON.stringify(join(inner, "s"))})).then(() => console.log("opened"), (error) => console.log(error.message))`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { uid: 65534, gid: 65534, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    await once(child, "close");
    assert.match(output, new RegExp(`${inner}/s.*no permission.*uid 65534.*chown`));
  });

  test("a file in the way", async () => {
    await using dir = await temporaryDirectory();
    await writeFile(join(dir.path, "s"), "");
    await refuses(join(dir.path, "s"), join(dir.path, "s"), "is not a directory");
  });
});

function big(name: string) {
  return workspace(name, { metadata: { annotations: { fill: "x".repeat(20_000) } } });
}

/** Writes until the disk is full; what was acknowledged. */
async function fillUp(store: FileStore): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let i = 0; i < 2000; i++) {
    const name = `w${String(i).padStart(5, "0")}`;
    try {
      await store.create("Workspace", big(name));
      acknowledged.push(name);
    } catch (error) {
      status("ServiceUnavailable", "the disk is full")(error);
      return acknowledged;
    }
  }
  throw new Error("the disk did not fill up");
}

import assert from "node:assert/strict";
import type { ProviderError } from "../../../src/providers/provider.ts";
import { eventually } from "../../harness/eventually.ts";
import { cluster, kept, type Kit } from "./suite-kit.ts";

const mebibyte = 1024 * 1024;

/** What is kept of an instance, what it may use and uses, and what is told of it. */
export function upkeepCases({ test, signal, running, run, place, patient }: Kit): void {
  test("volumes are kept over a re-creation, and go when asked", async (provider) => {
    const id = await running(provider, kept);
    const { owner } = (await provider.inspect(id, signal()))!;
    await run(provider, id, ["sh", "-c", "echo kept > /data/file"]);
    await provider.destroy(id, { volumes: false }, signal());
    await running(provider, { ...kept, owner });
    assert.equal((await run(provider, id, ["cat", "/data/file"])).stdout.toString(), "kept\n");
    await provider.destroy(id, { volumes: true }, signal());
    await running(provider, { ...kept, owner });
    assert.notEqual((await run(provider, id, ["cat", "/data/file"])).code, 0);
  });
  test("memory that is mounted is empty at each start", async (provider) => {
    const id = await running(provider, { mounts: [{ kind: "tmpfs", target: "/scratch", sizeBytes: mebibyte }] });
    assert.equal((await run(provider, id, ["sh", "-c", "echo x > /scratch/file && head -c 2097152 /dev/zero > /scratch/big"])).code, 1, "it holds one MiB");
    await provider.stop(id, 0, signal());
    await provider.start(id, signal());
    assert.equal((await run(provider, id, ["ls", "/scratch"])).stdout.toString(), "");
  });
  test("snapshots keep the disk as it was, and put it back", async (provider) => {
    assert.ok(provider.features.snapshots && provider.snapshots !== undefined);
    const { snapshots } = provider;
    const names = async (id: string) => (await snapshots.list(id, signal())).map(({ name }) => name).sort();
    const id = await running(provider, kept);
    const write = async (text: string) => assert.equal((await run(provider, id, ["sh", "-c", `echo ${text} > /state && echo ${text} > /data/state`])).code, 0);
    assert.deepEqual(await names(id), []);
    await write("first");
    await snapshots.take(id, "first", signal());
    await write("second");
    await snapshots.take(id, "first", signal());
    await snapshots.take(id, "second", signal());
    await write("third");
    assert.deepEqual(await names(id), ["first", "second"]);
    assert.equal((await provider.inspect(id, signal()))?.state, "running");
    await assert.rejects(snapshots.restore(id, "first", signal()), (error: ProviderError) => error.reason === "StillRunning");
    await provider.stop(id, 0, signal());
    const before = await provider.inspect(id, signal());
    await assert.rejects(snapshots.restore(id, "none", signal()), (error: ProviderError) => error.reason === "SnapshotNotFound");
    for (const name of ["first", "second", "first"]) {
      await provider.stop(id, 0, signal());
      await snapshots.restore(id, name, signal());
      await provider.start(id, signal());
      assert.equal((await run(provider, id, ["cat", "/state", "/data/state"])).stdout.toString(), `${name}\nthird\n`);
    }
    const { owner, specHash, generation, ports } = (await provider.inspect(id, signal()))!;
    assert.deepEqual({ owner, specHash, generation, ports }, { owner: before?.owner, specHash: before?.specHash, generation: before?.generation, ports: before?.ports });
    await snapshots.remove(id, "first", signal());
    await snapshots.remove(id, "first", signal());
    assert.deepEqual(await names(id), ["second"]);
    await provider.destroy(id, { volumes: false }, signal());
    assert.deepEqual(await names(id), ["second"], "they go when the volumes do");
    await snapshots.take(await running(provider, { ...kept, owner }), "third", signal());
    await provider.destroy(id, { volumes: true }, signal());
    assert.deepEqual(await names(id), []);
  });
  test("enforces the limits it claims", async (provider) => {
    const id = await running(provider, { resources: { cpus: 0.5, memoryBytes: 32 * mebibyte, pidsMax: 20 } });
    const { stdout } = await run(provider, id, ["sh", "-c", "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null; echo done"]);
    assert.doesNotMatch(stdout.toString(), /done/, "forty processes do not fit into twenty");
  });
  test("holds memory to its limit", async (provider) => {
    const id = await running(provider, { resources: { cpus: undefined, memoryBytes: 32 * mebibyte, pidsMax: undefined } });
    // Without a newline, tail keeps all of it.
    assert.notEqual((await run(provider, id, ["sh", "-c", "head -c 200000000 /dev/zero | tail -n 1 > /dev/null"])).code, 0);
    assert.equal((await run(provider, id, ["echo", "lives"])).stdout.toString(), "lives\n");
  });
  test("tells what an instance uses while it runs", async (provider) => {
    const id = await running(provider);
    const busy = await provider.exec(id, ["sh", "-c", "while :; do :; done"], {});
    const first = await eventually(async () => {
      const usage = await provider.usage!(id, signal());
      assert.ok(usage !== undefined && usage.memoryBytes > 0 && usage.cpuSeconds > 0, JSON.stringify(usage));
      return usage;
    }, patient(10_000));
    await eventually(async () => assert.ok((await provider.usage!(id, signal()))!.cpuSeconds > first.cpuSeconds), patient(10_000));
    busy.kill("SIGKILL");
    await busy.exit;
    await provider.stop(id, 0, signal());
    assert.equal(await provider.usage!(id, signal()), undefined);
    assert.equal(await provider.usage!("vendetta-conform-none", signal()), undefined);
  });
  test("shows its console, also after its end, and no more of it than was asked for", async (provider) => {
    const { mainCommand } = place();
    const id = await running(provider, mainCommand === undefined ? {} : { engine: mainCommand("echo it says this; echo and that >&2; exec sleep 1000") });
    // A quiet one says nothing by itself.
    if (mainCommand === undefined) await run(provider, id, ["sh", "-c", "echo it says this > /dev/console"]);
    const shown = await eventually(async () => {
      const text = await provider.console!(id, 64 * 1024, signal());
      assert.ok(text.length > 0);
      return text;
    }, patient(10_000));
    await provider.stop(id, 5, signal());
    const after = await provider.console!(id, 64 * 1024, signal());
    assert.ok(after.includes(shown.slice(0, 20)) || after.length >= 64 * 1024 - 4, "what it showed is kept");
    assert.ok(Buffer.byteLength(await provider.console!(id, 10, signal())) <= 10);
  });
  test("hints when something happens", async (provider) => {
    const abort = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const id of provider.events!(cluster, abort.signal)) seen.push(id);
    })().catch(() => {
      // Ended by the test.
    });
    await eventually(() => assert.ok(seen.length > 0), patient(5000), 20);
    const id = await running(provider);
    await provider.stop(id, 0, signal());
    await eventually(() => assert.ok(seen.includes(id)), patient(5000), 20);
    abort.abort();
    await following;
  });
}

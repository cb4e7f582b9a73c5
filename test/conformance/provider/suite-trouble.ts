import assert from "node:assert/strict";
import type { ProviderError } from "../../../src/providers/provider.ts";
import { eventually } from "../../harness/eventually.ts";
import { cluster, type Kit } from "./suite-kit.ts";

/** What goes wrong is an answer. */
export function troubleCases({ test, signal, specOf, running, run, list, place, patient }: Kit): void {
  const nobody = `vendetta-${cluster}-nobody`;
  test("what is not there is told so, and nothing is done about it", async (provider) => {
    assert.equal(await provider.inspect(nobody, signal()), undefined);
    await provider.stop(nobody, 0, signal());
    await provider.destroy(nobody, { volumes: true }, signal());
    await assert.rejects(provider.start(nobody, signal()), (error: ProviderError) => error.reason === "NotFound" && error.message.includes(nobody));
    await assert.rejects(provider.exec(nobody, ["true"], {}), (error: ProviderError) => ["NotFound", "NotRunning"].includes(error.reason));
    await assert.rejects(provider.dial(nobody, 80, signal()), (error: ProviderError) => ["NotFound", "NotRunning"].includes(error.reason));
  });
  test("a call ends when its signal aborts", async (provider) => {
    const abort = new AbortController();
    abort.abort(new Error("enough"));
    for (const call of [() => provider.inspect(nobody, abort.signal), () => provider.list(cluster, abort.signal), () => provider.start(nobody, abort.signal)]) await assert.rejects(call, /enough/);
  });
  test("refuses what it cannot do, with a reason", async (provider) => {
    await assert.rejects(provider.create(specOf({ mounts: [{ kind: "tmpfs", target: "/y", sizeBytes: undefined }, { kind: "bind", source: "/no/such/place", target: "/x", readOnly: true }] }), () => {}, signal()), (error: ProviderError) => error.reason === "InvalidSpec" || (error.reason === "MountSourceMissing" && error.message.startsWith("spec.mounts[1].hostPath: there is no /no/such/place ")));
  });
  test("says when there is no such image", async (provider) => {
    await assert.rejects(provider.create(specOf({ image: "no-such-image:1" }), () => {}, signal()), (error: ProviderError) => error.reason === "ImageNotFound" && /no-such-image/.test(error.message));
  });
  test("an instance that ended by itself is told so, and can be started again", async (provider) => {
    const id = await running(provider);
    const { startId } = (await provider.inspect(id, signal()))!;
    await place().behind!.end!(id);
    await eventually(async () => assert.equal((await provider.inspect(id, signal()))?.state, "stopped"), patient(5000), 50);
    await provider.start(id, signal());
    const again = await provider.inspect(id, signal());
    assert.equal(again?.state, "running");
    assert.notEqual(again.startId, startId);
    assert.equal((await run(provider, id, ["echo", "back"])).stdout.toString(), "back\n");
  });
  test("a paused instance is told so, and goes on when it is started", async (provider) => {
    const id = await running(provider);
    const before = (await provider.inspect(id, signal()))!;
    await place().behind!.pause!(id);
    const paused = await provider.inspect(id, signal());
    assert.deepEqual([paused?.state, paused?.startId], ["paused", before.startId]);
    assert.ok((await list(provider)).includes(id));
    await provider.start(id, signal());
    assert.deepEqual(await provider.inspect(id, signal()), before, "the same start of it");
    assert.equal((await run(provider, id, ["echo", "on"])).stdout.toString(), "on\n");
  });
  test("an instance that cannot be used is told so, hides no other, and can be destroyed", async (provider) => {
    const [id, other] = [await running(provider), await running(provider)];
    await place().behind!.spoil!(id);
    const found = await provider.inspect(id, signal());
    assert.equal(found?.state, "broken");
    assert.ok(found.problems.length > 0 && found.problems.every((each) => each !== ""));
    const all = await list(provider);
    assert.ok(all.includes(id) && all.includes(other));
    await provider.destroy(id, { volumes: true }, signal());
    assert.equal(await provider.inspect(id, signal()), undefined);
  });
  test("throws when the engine does not answer: unknown is not absent (INV-5)", async () => {
    const provider = place().unreachable!;
    assert.equal((await provider.probe(signal())).usable, false);
    // One after the other: each is waited for before it can fail.
    for (const call of [() => provider.list(cluster, signal()), () => provider.inspect("vendetta-conform-x", signal()), () => provider.destroy("vendetta-conform-x", { volumes: true }, signal())]) {
      await assert.rejects(call, (error: ProviderError) => error.reason === "EngineUnreachable");
    }
  });
}

import assert from "node:assert/strict";
import { instanceId } from "../../../src/providers/provider.ts";
import { eventually } from "../../harness/eventually.ts";
import { kept, type Kit } from "./suite-kit.ts";

/** From making to destroying; each verb once, twice, and at the same time as itself. */
export function lifecycleCases({ test, signal, specOf, running, run, list, place, patient }: Kit): void {
  test("probe says it can be used, and its version", async (provider) => {
    const probe = await provider.probe(signal());
    assert.ok(probe.usable && probe.version !== "");
  });
  test("create, start, inspect and list agree", async (provider) => {
    const spec = specOf();
    const id = instanceId(spec.owner);
    assert.equal(await provider.inspect(id, signal()), undefined);
    await provider.create(spec, () => {}, signal());
    assert.equal((await provider.inspect(id, signal()))?.state, "created");
    await provider.start(id, signal());
    const found = await provider.inspect(id, signal());
    assert.deepEqual([found?.id, found?.state, found?.specHash, found?.owner], [id, "running", "hash-1", spec.owner]);
    assert.ok(found?.startId !== undefined && found.runDir.startsWith("/"));
    assert.ok((await list(provider)).includes(id));
    assert.ok(!(await list(provider, "other")).includes(id), "INV-4: another cluster does not see it");
  });
  test("a second create of the same owner takes what is there (INV-3)", async (provider) => {
    const id = await running(provider);
    const before = await provider.inspect(id, signal());
    await provider.create(specOf({ owner: before!.owner, specHash: "hash-2" }), () => {}, signal());
    assert.deepEqual((await provider.inspect(id, signal()))?.startId, before?.startId);
    assert.equal((await provider.inspect(id, signal()))?.specHash, "hash-1");
  });
  test("start and stop may be said twice; a new start has a new id", async (provider) => {
    const id = await running(provider);
    const first = (await provider.inspect(id, signal()))?.startId;
    await provider.start(id, signal());
    assert.equal((await provider.inspect(id, signal()))?.startId, first);
    await provider.stop(id, 5, signal());
    await provider.stop(id, 0, signal());
    assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
    await new Promise((resolve) => setTimeout(resolve, 10));
    await provider.start(id, signal());
    assert.notEqual((await provider.inspect(id, signal()))?.startId, first);
  });
  test("each verb may be said twice at the same time", async (provider) => {
    const spec = specOf();
    const id = instanceId(spec.owner);
    const twice = (verb: () => Promise<void>) => Promise.all([verb(), verb()]);
    await twice(() => provider.create(spec, () => {}, signal()));
    assert.deepEqual([(await provider.inspect(id, signal()))?.state, (await list(provider)).filter((each) => each === id).length], ["created", 1]);
    await twice(() => provider.start(id, signal()));
    const { state, startId } = (await provider.inspect(id, signal()))!;
    assert.equal(state, "running");
    assert.equal((await run(provider, id, ["echo", "one"])).stdout.toString(), "one\n");
    assert.equal((await provider.inspect(id, signal()))?.startId, startId);
    await twice(() => provider.stop(id, 5, signal()));
    assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
    await twice(() => provider.destroy(id, { volumes: true }, signal()));
    assert.equal(await provider.inspect(id, signal()), undefined);
  });
  test("what was made is found and goes on after a restart of the server", async (provider) => {
    const id = await running(provider, { env: { FROM_SPEC: "kept" } });
    const stopped = await running(provider);
    await provider.stop(stopped, 0, signal());
    const [before, beforeStopped] = [await provider.inspect(id, signal()), await provider.inspect(stopped, signal())];
    const next = place().again();
    const [found, foundStopped] = [await next.inspect(id, signal()), await next.inspect(stopped, signal())];
    // Nobody has come into it by way of this one.
    const { awaitsEntry: _, ...seen } = found!;
    assert.deepEqual([seen, foundStopped], [before, beforeStopped]);
    assert.deepEqual((await list(next)).filter((each) => [id, stopped].includes(each)).sort(), [id, stopped].sort());
    assert.equal((await run(next, id, ["sh", "-c", 'echo "$FROM_SPEC"'])).stdout.toString(), "kept\n");
    await next.start(id, signal());
    assert.equal((await next.inspect(id, signal()))?.startId, before?.startId, "it runs already");
    await next.stop(id, 5, signal());
    assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
  });
  const asking = async (script: (marker: string) => string, graceSeconds: number, provider: Parameters<Parameters<typeof test>[1]>[0]) => {
    const { mainCommand } = place();
    const isolated = provider.features.isolation !== "none";
    const dir = isolated ? "/data" : ".";
    const more = { ...(isolated ? kept : {}), ...(mainCommand === undefined ? {} : { engine: mainCommand(script(dir)) }) };
    const id = await running(provider, more);
    const up = () => eventually(async () => assert.equal((await run(provider, id, ["cat", `${dir}/up`])).stdout.toString(), "up\n"), patient(10_000), 50);
    // A command that is followed may be ended by whoever follows it: this one is left to itself.
    if (mainCommand === undefined) await run(provider, id, ["sh", "-c", 'setsid sh -c "$1" </dev/null >/dev/null 2>&1 &', "sh", script(dir)]);
    await up();
    await provider.stop(id, graceSeconds, signal());
    assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
    // What runs in it now is told apart by another name.
    const { owner } = (await provider.inspect(id, signal()))!;
    await provider.destroy(id, { volumes: false }, signal());
    await running(provider, { ...(isolated ? kept : {}), owner });
    return (await run(provider, id, ["sh", "-c", `cat ${dir}/asked 2>/dev/null; true`])).stdout.toString();
  };
  test("stop asks first: what listens ends by itself", async (provider) => {
    assert.equal(await asking((dir) => `trap 'echo asked > ${dir}/asked; exit 0' TERM; echo up > ${dir}/up; while :; do sleep 0.1; done`, 20, provider), "asked\n");
  });
  test("stop forces what was asked and goes on", async (provider) => {
    assert.equal(await asking((dir) => `trap 'echo asked > ${dir}/asked' TERM; echo up > ${dir}/up; while :; do sleep 0.1; done`, 1, provider), "asked\n");
  });
  test("stop without grace asks nobody", async (provider) => {
    const id = await running(provider);
    const stream = await provider.exec(id, ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], {});
    stream.stderr.resume();
    await new Promise((resolve) => stream.stdout.once("data", resolve));
    stream.stdout.resume();
    await provider.stop(id, 0, signal());
    await stream.exit.catch(() => {
      // The way to it may end with the instance.
    });
    assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
  });
  test("stop ends what runs inside, by force when it does not listen", async (provider) => {
    const id = await running(provider);
    const stream = await provider.exec(id, ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], {});
    stream.stdout.resume();
    stream.stderr.resume();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await provider.stop(id, 1, signal());
    await stream.exit.catch(() => {
      // The way to it may end with the instance.
    });
    assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
  });
  test("destroy leaves nothing, and may be said twice", async (provider) => {
    const id = await running(provider);
    await provider.destroy(id, { volumes: true }, signal());
    await provider.destroy(id, { volumes: true }, signal());
    assert.equal(await provider.inspect(id, signal()), undefined);
    assert.ok(!(await list(provider)).includes(id));
    await provider.stop(id, 0, signal());
  });
  test("destroy of what runs ends what runs in it", async (provider) => {
    const id = await running(provider);
    const stream = await provider.exec(id, ["sh", "-c", "trap '' TERM HUP; echo up; while :; do sleep 1; done"], {});
    stream.stderr.resume();
    await new Promise((resolve) => stream.stdout.once("data", resolve));
    stream.stdout.resume();
    await provider.destroy(id, { volumes: true }, signal());
    await stream.exit.catch(() => {
      // The way to it may end with the instance.
    });
    assert.equal(await provider.inspect(id, signal()), undefined);
  });
  test("works on several at once", async (provider) => {
    const all = await Promise.all(Array.from({ length: 5 }, () => running(provider)));
    const said = await Promise.all(all.map(async (id, i) => (await run(provider, id, ["echo", String(i)])).stdout.toString().trim()));
    assert.deepEqual(said, ["0", "1", "2", "3", "4"]);
    assert.deepEqual((await list(provider)).filter((id) => all.includes(id)).sort(), [...all].sort());
  });
}

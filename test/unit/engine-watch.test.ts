import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger as log } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import type { ObjectInput } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createSimEngine } from "../../src/providers/sim/sim-engine.ts";
import { createSimProvider } from "../../src/providers/sim/sim-provider.ts";
import type { InstanceSpec, Provider } from "../../src/providers/provider.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import type { Transport } from "../../src/transports/transport.ts";
import { createEngineWatch } from "../../controllers/engine-watch.ts";
import type { Machine } from "../../controllers/machines.ts";
import { createFoundOrphans } from "../../controllers/orphan/found-orphans.ts";
import { workspaceIndexes } from "../../controllers/workspace/controller.ts";

/** The watch over one Node "sim" and one elsewhere, with a Workspace on each. */
async function watchWorld(providerOf: (provider: Provider, store: Store) => Provider = (provider) => provider) {
  const clock = createVirtualClock();
  const random = seededRandom(5);
  const store = createMemoryStore({ clock, random });
  await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "sim" }, spec: { local: {} } } as unknown as ObjectInput<Node>);
  for (const nodeName of ["sim", "elsewhere"]) {
    const made = await store.create("Workspace", { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: `on-${nodeName}`, namespace: "default" }, spec: { provider: "docker", image: "sim" } } as unknown as ObjectInput<Workspace>);
    await store.updateStatus("Workspace", { ...made, status: { ...made.status, nodeName } });
  }
  const engine = createSimEngine(clock);
  const provider = providerOf(createSimProvider(engine), store);
  const machine = { transport: {} as Transport, providers: [provider], provider: () => provider } satisfies Machine;
  const informers = { Node: createInformer("Node", { store, clock, random, log }), Workspace: createInformer("Workspace", { store, clock, random, log, indexes: workspaceIndexes }) };
  const woken: string[] = [];
  const orphans = createFoundOrphans(() => {});
  const watch = createEngineWatch({
    cluster: "sim", store, nodes: informers.Node.lister, workspaces: informers.Workspace.lister, machines: { of: () => machine, release: () => Promise.resolve() },
    orphans, recorder: { event: () => {} }, wake: (key) => woken.push(key), clock, log,
  });
  const stop = new AbortController();
  const run = () => {
    const ended = [informers.Node, informers.Workspace, watch].map((each) => each.run(stop.signal, () => {}));
    return async () => {
      stop.abort();
      await clock.advance(5000);
      await Promise.all(ended);
    };
  };
  return { clock, store, engine, provider, woken, orphans, run };
}

describe("the watch of the engines", () => {
  it("wakes a Workspace whose instance went while its engine had never answered yet", async () => {
    const { clock, engine, woken, run } = await watchWorld();
    engine.down = true;
    const end = run();
    await clock.advance(15_000);
    woken.length = 0;

    engine.down = false;
    await clock.advance(15_000);
    assert.deepEqual(woken, ["default/on-sim"]);
    await end();
  });

  it("takes nobody for an orphan whose Workspace went while the machine was being asked", async () => {
    let isSlow = false;
    const { clock, store, provider, orphans, run } = await watchWorld((sim, kept) => ({
      ...sim,
      async list(cluster, signal) {
        const listed = await sim.list(cluster, signal);
        if (isSlow) await kept.delete("Workspace", { namespace: "default", name: "on-sim" });
        isSlow = false;
        return listed;
      },
    }));
    const { metadata } = await store.get("Workspace", { namespace: "default", name: "on-sim" });
    const owner = { cluster: "sim", uid: metadata.uid, namespace: "default", name: "on-sim" };
    await provider.create({ owner, generation: 1, specHash: "1", image: "sim", imagePullPolicy: "IfNotPresent", env: {}, mounts: [], ports: [], resources: {} } as unknown as InstanceSpec, () => {}, AbortSignal.timeout(1000));
    const end = run();
    await clock.advance(5000);
    isSlow = true;
    for (let waited = 0; isSlow; waited += 100) {
      assert.ok(waited < 60_000, "nothing was listed");
      await clock.advance(100);
    }
    await clock.advance(0);
    assert.deepEqual(orphans.of("sim"), []);
    // What is still there at the next look has no owner.
    await clock.advance(20_000);
    assert.deepEqual(orphans.of("sim").map(({ name }) => name), ["on-sim"]);
    await end();
  });
});

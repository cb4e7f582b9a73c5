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
import { createInformer } from "../../src/runtime/informer.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Transport } from "../../src/transports/transport.ts";
import { createEngineWatch } from "../../controllers/engine-watch.ts";
import type { Machine } from "../../controllers/machines.ts";
import { createFoundOrphans } from "../../controllers/orphan/found-orphans.ts";
import { workspaceIndexes } from "../../controllers/workspace/controller.ts";

describe("the watch of the engines", () => {
  it("wakes a Workspace whose instance went while its engine had never answered yet", async () => {
    const clock = createVirtualClock();
    const random = seededRandom(5);
    const store = createMemoryStore({ clock, random });
    await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "sim" }, spec: { local: {} } } as unknown as ObjectInput<Node>);
    for (const nodeName of ["sim", "elsewhere"]) {
      const made = await store.create("Workspace", { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: `on-${nodeName}`, namespace: "default" }, spec: { provider: "docker", image: "sim" } } as unknown as ObjectInput<Workspace>);
      await store.updateStatus("Workspace", { ...made, status: { ...made.status, nodeName } });
    }
    const engine = createSimEngine(clock);
    engine.down = true;
    const provider = createSimProvider(engine);
    const machine = { transport: {} as Transport, providers: [provider], provider: () => provider } satisfies Machine;
    const informers = { Node: createInformer("Node", { store, clock, random, log }), Workspace: createInformer("Workspace", { store, clock, random, log, indexes: workspaceIndexes }) };
    const woken: string[] = [];
    const watch = createEngineWatch({
      cluster: "sim", store, nodes: informers.Node.lister, workspaces: informers.Workspace.lister, machines: { of: () => machine, release: () => Promise.resolve() },
      orphans: createFoundOrphans(() => {}), recorder: { event: () => {} }, wake: (key) => woken.push(key), clock, log,
    });
    const stop = new AbortController();
    const ended = [informers.Node, informers.Workspace, watch].map((each) => each.run(stop.signal, () => {}));
    await clock.advance(15_000);
    woken.length = 0;

    engine.down = false;
    await clock.advance(15_000);
    assert.deepEqual(woken, ["default/on-sim"]);

    stop.abort();
    await clock.advance(5000);
    await Promise.all(ended);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger as log } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock, type VirtualClock } from "../../src/base/virtual-clock.ts";
import type { ObjectInput } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { InstanceSpec, Provider } from "../../src/providers/provider.ts";
import { createSimEngine, type SimEngine } from "../../src/providers/sim/sim-engine.ts";
import { createSimProvider } from "../../src/providers/sim/sim-provider.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import type { Transport } from "../../src/transports/transport.ts";
import { createEngineWatch } from "../../controllers/engine-watch.ts";
import type { Machine } from "../../controllers/machines.ts";
import { createFoundOrphans, type FoundOrphans } from "../../controllers/orphan/found-orphans.ts";
import { workspaceIndexes } from "../../controllers/workspace/controller.ts";

interface World {
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly engine: SimEngine;
  readonly provider: Provider;
  readonly orphans: FoundOrphans;
  /** Awaited once, after the next listing was made and before anybody is told of it. */
  afterListing: (() => Promise<unknown>) | undefined;
  /** Ends the streams of events there are. */
  cut: AbortController;
  /** Keys of Workspaces that were woken. */
  readonly woken: string[];
  /** Calls of the engine so far. */
  readonly calls: { list: number; events: number };
}

/** The watch of one engine on Node "sim", which does not answer at first, with two Workspaces, the second elsewhere. */
async function watching(act: (world: World) => Promise<void>, placed: readonly string[] = ["sim", "elsewhere"]): Promise<void> {
  const clock = createVirtualClock();
  const random = seededRandom(5);
  const store = createMemoryStore({ clock, random });
  await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "sim" }, spec: { local: {} } } as unknown as ObjectInput<Node>);
  for (const nodeName of placed) {
    const made = await store.create("Workspace", { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: `on-${nodeName}`, namespace: "default" }, spec: { provider: "docker", image: "sim" } } as unknown as ObjectInput<Workspace>);
    await store.updateStatus("Workspace", { ...made, status: { ...made.status, nodeName } });
  }
  const engine = createSimEngine(clock);
  engine.down = true;
  const sim = createSimProvider(engine);
  const calls = { list: 0, events: 0 };
  const provider: Provider = {
    ...sim,
    async list(cluster, signal) {
      calls.list++;
      // As some engines' listings, it tells of no start.
      const listed = (await sim.list(cluster, signal)).map((each) => ({ ...each, startId: undefined }));
      const { afterListing } = world;
      world.afterListing = undefined;
      await afterListing?.();
      return listed;
    },
    events: (cluster, signal) => (calls.events++, sim.events!(cluster, AbortSignal.any([signal, world.cut.signal]))),
  };
  const machine = { transport: {} as Transport, providers: [provider], provider: () => provider } satisfies Machine;
  const informers = { Node: createInformer("Node", { store, clock, random, log }), Workspace: createInformer("Workspace", { store, clock, random, log, indexes: workspaceIndexes }) };
  const woken: string[] = [];
  const orphans = createFoundOrphans(() => {});
  const world: World = { clock, store, engine, provider, orphans, woken, calls, cut: new AbortController(), afterListing: undefined };
  const watch = createEngineWatch({
    cluster: "sim", store, nodes: informers.Node.lister, workspaces: informers.Workspace.lister, machines: { of: () => machine, release: () => Promise.resolve() },
    orphans, recorder: { event: () => {} }, wake: (key) => woken.push(key), clock, log,
  });
  const stop = new AbortController();
  const ended = [informers.Node, informers.Workspace, watch].map((each) => each.run(stop.signal, () => {}));
  await clock.advance(15_000);
  try {
    await act(world);
  } finally {
    stop.abort();
    await clock.advance(5000);
    await Promise.all(ended);
  }
}

describe("the watch of the engines", () => {
  it("wakes a Workspace whose instance went while its engine had never answered yet", () =>
    watching(async ({ clock, engine, woken }) => {
      woken.length = 0;
      engine.down = false;
      await clock.advance(15_000);
      assert.deepEqual(woken, ["default/on-sim"]);
    }));

  it("asks an engine that cannot be listed for no events, and for events as soon as it can", () =>
    watching(async ({ clock, engine, calls }) => {
      await clock.advance(60_000);
      assert.equal(calls.events, 0);
      assert.ok(calls.list > 5);
      engine.down = false;
      await clock.advance(15_000);
      assert.equal(calls.events, 1);
    }));

  it("lists an engine at once whose events had held and break off, and not one whose events never hold", () =>
    watching(async (world) => {
      const { clock, engine, woken, calls } = world;
      const cut = async () => {
        const { cut: old } = world;
        world.cut = new AbortController();
        old.abort(new Error("cut"));
        await clock.advance(100);
      };
      engine.down = false;
      await clock.advance(15_000);
      await cut();
      const before = calls.list;
      // Opened anew after a while, and cut at once.
      for (let i = 0; i < 3; i++) {
        await clock.advance(2_050);
        await cut();
      }
      assert.ok(calls.events >= 4 && calls.list <= before + 1, JSON.stringify(calls));
      await clock.advance(25_000);
      engine.down = true;
      woken.length = 0;
      const lists = calls.list;
      await cut();
      assert.equal(calls.list, lists + 1);
      assert.deepEqual(woken, ["default/on-sim"]);
    }));

  it("does not list an engine that the Node found to be unusable while nothing is placed there", () =>
    watching(async ({ clock, store, engine, calls }) => {
      const tell = async (usable: boolean) => {
        const node = await store.get("Node", { name: "sim" });
        await store.updateStatus("Node", { ...node, status: { ...node.status, providers: [{ name: "docker", usable, message: "" }] } } as Node);
      };
      await tell(false);
      await clock.advance(15_000);
      const before = calls.list;
      await clock.advance(60_000);
      assert.equal(calls.list, before);
      engine.down = false;
      await tell(true);
      await clock.advance(15_000);
      assert.ok(calls.list > before);
    }, ["elsewhere"]));

  it("takes nobody for an orphan whose Workspace went while the machine was being asked", () =>
    watching(async (world) => {
      const { clock, store, engine, provider, orphans } = world;
      engine.down = false;
      const ref = { namespace: "default", name: "on-sim" };
      const { metadata } = await store.get("Workspace", ref);
      const owner = { cluster: "sim", uid: metadata.uid, ...ref };
      await provider.create({ owner, generation: 1, specHash: "1", image: "sim", imagePullPolicy: "IfNotPresent", env: {}, mounts: [], ports: [], resources: {} } as unknown as InstanceSpec, () => {}, AbortSignal.timeout(1000));
      world.afterListing = () => store.delete("Workspace", ref);
      for (let waited = 0; world.afterListing !== undefined; waited += 100) {
        assert.ok(waited < 60_000, "nothing was listed");
        await clock.advance(100);
      }
      await clock.advance(0);
      assert.deepEqual(orphans.of("sim"), []);
      // What is still there at the next look has no owner.
      await clock.advance(20_000);
      assert.deepEqual(orphans.of("sim").map(({ name }) => name), ["on-sim"]);
    }));

  it("leaves alone what another Node of the same engine runs, and takes what stayed of an earlier start for an orphan", () =>
    watching(async ({ clock, store, engine, provider, orphans }) => {
      engine.down = false;
      const ref = { namespace: "default", name: "on-elsewhere" };
      const { metadata } = await store.get("Workspace", ref);
      const owner = { cluster: "sim", uid: metadata.uid, ...ref };
      const signal = AbortSignal.timeout(1000);
      await provider.create({ owner, generation: 1, specHash: "1", image: "sim", imagePullPolicy: "IfNotPresent", env: {}, mounts: [], ports: [], resources: {} } as unknown as InstanceSpec, () => {}, signal);
      const id = `vendetta-sim-${metadata.uid}`;
      await provider.start(id, signal);
      const runsAs = async (startId: string) => {
        const workspace = await store.get("Workspace", ref);
        await store.updateStatus("Workspace", { ...workspace, status: { ...workspace.status, startId, conditions: [{ type: "Ready", status: "True", reason: "Running", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }] } });
      };
      await runsAs((await provider.inspect(id, signal))!.startId!);
      await clock.advance(120_000);
      assert.deepEqual(orphans.of("sim"), []);
      assert.equal((await provider.inspect(id, signal))?.state, "running");

      await runsAs("another");
      await clock.advance(20_000);
      assert.deepEqual(orphans.of("sim").map(({ name }) => name), ["on-elsewhere"]);
      await clock.advance(60_000);
      assert.equal(await provider.inspect(id, signal), undefined);
    }));
});

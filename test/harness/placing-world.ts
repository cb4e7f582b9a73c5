import assert from "node:assert/strict";
import { silentLogger as log } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { instanceId, type Provider } from "../../src/providers/provider.ts";
import { createSimEngine } from "../../src/providers/sim/sim-engine.ts";
import { createSimProvider, type SimProviderOptions } from "../../src/providers/sim/sim-provider.ts";
import { createController } from "../../src/runtime/controller.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createManager } from "../../src/runtime/manager.ts";
import { createOwnWrites } from "../../src/runtime/own-writes.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Transport } from "../../src/transports/transport.ts";
import { createInstances } from "../../controllers/instances.ts";
import type { Machine } from "../../controllers/machines.ts";
import { serviceIndexes } from "../../controllers/service/controller.ts";
import type { Supervisor, Supervisors } from "../../controllers/service/supervisor.ts";
import { createWorkspaceReconciler, workspaceIndexes } from "../../controllers/workspace/controller.ts";

const namespace = "default";
const cluster = "c";
const supervisorsOf = (runs: Supervisor["runs"]) => ({ of: () => ({ runs }), onHint: () => {}, release: () => {}, close: () => Promise.resolve() }) as unknown as Supervisors;

/** The Workspace loop over Nodes that each have an engine in memory, under a virtual clock. Nodes are as the test says that they are. @param runs what instances tell of their services */
export async function placingWorld(nodeNames: readonly string[], options: SimProviderOptions = {}, runs: Supervisor["runs"] = () => Promise.resolve([])) {
  const clock = createVirtualClock();
  const random = seededRandom(3);
  const store = createMemoryStore({ clock, random });
  const engines = new Map(nodeNames.map((name) => [name, createSimEngine(clock, name)]));
  /** Node ports that another program has. */
  const takenPorts = new Set<number>();
  const providers = new Map<string, Provider>();
  const machines = new Map(nodeNames.map((name): [string, Machine] => {
    const provider = createSimProvider(engines.get(name)!, options);
    providers.set(name, provider);
    return [name, { transport: { name, isPortFree: (port: number) => Promise.resolve(!takenPorts.has(port)) } as unknown as Transport, providers: [provider], provider: (wanted) => (wanted === "docker" ? provider : undefined) }];
  }));
  const informers = {
    Node: createInformer("Node", { store, clock, random, log }),
    Workspace: createInformer("Workspace", { store, clock, random, log, indexes: workspaceIndexes }),
    Service: createInformer("Service", { store, clock, random, log, indexes: serviceIndexes }),
  };
  const events: string[] = [];
  const reconciler = createWorkspaceReconciler({
    cluster, store: createOwnWrites(store, informers, clock),
    nodes: informers.Node.lister, workspaces: informers.Workspace.lister, services: informers.Service.lister,
    machines: { of: (node) => machines.get(node.metadata.name)!, release: () => Promise.resolve() },
    instances: createInstances(), supervisors: supervisorsOf(runs),
    forwards: { sync: () => Promise.resolve(new Map<number, string>()), close: () => Promise.resolve() },
    recorder: { event: (_object, _type, reason, message) => void events.push(`${reason}: ${message}`) }, clock,
  });
  const stop = new AbortController();
  const manager = createManager({ clock, log });
  manager.add(...Object.values(informers), createController(reconciler, { informers, clock, random, log }));
  const ended = manager.run(stop.signal);

  const say = async (name: string, status: "True" | "False" | "Unknown", message = "as the test says") => {
    const node = await store.get("Node", { name });
    const since = new Date(clock.now()).toISOString();
    const ready = { type: "Ready", status, reason: status === "True" ? "Probed" : "Unreachable", message, lastTransitionTime: since } as const;
    engines.get(name)!.down = status !== "True";
    await store.updateStatus("Node", { ...node, status: { conditions: [ready], providers: [{ name: "docker", usable: true }], capacity: { cpu: "8", memory: "8Gi", disk: "100Gi" } } });
    await clock.advance(10);
  };
  for (const name of nodeNames) {
    await store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name }, spec: { local: {} } } as never);
    await say(name, "True");
  }
  await clock.advance(60_000);

  const workspace = (name: string): Promise<Workspace> => store.get("Workspace", { namespace, name });
  const create = (name: string, spec: object = {}) => store.create("Workspace", { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name, namespace }, spec: { provider: "docker", image: "sim", ...spec } } as never);
  /** Names of the Nodes on whose engine an instance of that Workspace is, and how it is there. */
  const whereIs = ({ metadata }: Workspace) =>
    [...engines].flatMap(([name, { instances }]) => {
      const found = instances.get(instanceId({ cluster, uid: metadata.uid }));
      return found === undefined ? [] : [`${name} ${found.state}`];
    });
  // INV-3 with its one exception: a second live instance only where it is on record.
  for (const engine of engines.values()) {
    engine.onChange((id) => {
      const live = [...engines].filter(([, { instances }]) => instances.get(id)?.state === "running").map(([name]) => name);
      if (live.length < 2) return;
      const left = informers.Workspace.lister.list().find((each) => instanceId({ cluster, uid: each.metadata.uid }) === id)?.status?.leftBehind ?? [];
      assert.equal(live.filter((name) => !left.some((each) => each.nodeName === name)).length, 1, `INV-3: ${id} runs on ${live.join(" and ")}`);
    });
  }
  return {
    clock, store, engines, providers, takenPorts, events, say, workspace, create, whereIs,
    patchNode: (name: string, spec: object) => store.patch("Node", { name }, { type: "merge", patch: { spec } }),
    async end() {
      stop.abort();
      await clock.advance(1000);
      await ended;
    },
  };
}

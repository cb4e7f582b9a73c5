import type { Random } from "../../src/base/random.ts";
import { keyOf } from "../../src/base/keys.ts";
import { silentLogger } from "../../src/base/log.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createSimProvider } from "../../src/providers/sim/sim-provider.ts";
import type { SimEngine } from "../../src/providers/sim/sim-engine.ts";
import { createController } from "../../src/runtime/controller.ts";
import { createInformer } from "../../src/runtime/informer.ts";
import { createManager } from "../../src/runtime/manager.ts";
import { createOwnWrites } from "../../src/runtime/own-writes.ts";
import type { Reading } from "../../src/sources/source-reader.ts";
import type { Store } from "../../src/store/store.ts";
import type { Transport } from "../../src/transports/transport.ts";
import { createEngineWatch } from "../../controllers/engine-watch.ts";
import { createInstances } from "../../controllers/instances.ts";
import type { Machine } from "../../controllers/machines.ts";
import { createFoundOrphans } from "../../controllers/orphan/found-orphans.ts";
import { createServiceReconciler, serviceIndexes } from "../../controllers/service/controller.ts";
import type { Health, Prober } from "../../controllers/service/prober.ts";
import { createWorkspaceReconciler, workspaceIndexes } from "../../controllers/workspace/controller.ts";
import { clockOf, faulty, whileAlive, type Life } from "./faults.ts";
import { createSimSource } from "./sim-source.ts";
import { createSimSupervisors, type SimSupervisorOptions } from "./sim-supervisors.ts";

export const cluster = "sim";

export interface ControlPlaneOptions {
  readonly store: Store;
  readonly engine: SimEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly active: () => boolean;
  /** What lies where the manifests of the world's Source are, and who is told before it deletes: "Service p". Absent: the world has none. */
  readonly source?: { readonly read: () => Reading; readonly onHint: (listener: () => void) => void; readonly onPrune: (object: string) => void };
  readonly trace: (line: string) => void;
  readonly onStart: SimSupervisorOptions["onStart"];
  /** Told before an engine call that changes something. */
  readonly onChangingCall: (verb: string, id: string) => void;
  /** Called when a fault ends this life; the world starts the next one. */
  readonly onCrash: () => void;
  /** Bends the provider, to show that a checker finds it. */
  readonly bend?: ((provider: Provider) => Provider) | undefined;
}

/** Starts the loops over a store and an engine that outlive them. Ends only by a crash. */
export function startControlPlane(options: ControlPlaneOptions): Life {
  const { engine, random, trace } = options;
  const life: Life = { alive: true };
  const crash = () => {
    if (!life.alive) return;
    life.alive = false;
    trace("crash");
    options.onCrash();
  };
  const clock = clockOf(life, options.clock);
  const call = faulty(life, { clock, random, active: options.active, crash, trace });
  const store = mortalStore(life, options.store);
  const supervisors = createSimSupervisors({ engine, clock, call, onStart: options.onStart });
  const provider = changing(life, call, (options.bend ?? ((each) => each))(createSimProvider(engine)), options);
  const machine: Machine = { transport: { name: "sim", isPortFree: () => Promise.resolve(true) } as unknown as Transport, providers: [provider], provider: (name) => (name === "docker" ? provider : undefined) };

  const log = silentLogger;
  const common = { store, clock, random, log };
  const informers = {
    Namespace: createInformer("Namespace", common),
    Source: createInformer("Source", common),
    Node: createInformer("Node", common),
    Workspace: createInformer("Workspace", { ...common, indexes: workspaceIndexes }),
    Service: createInformer("Service", { ...common, indexes: serviceIndexes }),
  };
  const parts = {
    cluster,
    store: createOwnWrites(store, informers, clock),
    nodes: informers.Node.lister, workspaces: informers.Workspace.lister, services: informers.Service.lister,
    machines: { of: () => machine, release: () => Promise.resolve() },
    orphans: createFoundOrphans(() => {}),
    instances: createInstances(), supervisors,
    prober: simProber(),
    crossings: { state: () => ({ kind: "up" as const }) },
    forwards: { sync: () => Promise.resolve(new Map<number, string>()), close: () => Promise.resolve() },
    recorder: { event: (about: { readonly metadata: { readonly name: string } }, _type: string, reason: string) => trace(`event ${about.metadata.name} ${reason}`) },
    clock,
  };
  const control = { informers, clock, random, log };
  const workspaceController = createController(createWorkspaceReconciler(parts), control);
  const serviceController = createController(createServiceReconciler(parts), control);
  const { source } = options;
  const sourceControllers = source === undefined ? [] : [createSimSource({ store, ownWrites: parts.store, informers, read: source.read, onHint: source.onHint, call, clock, recorder: parts.recorder, control, trace, onPrune: (object) => life.alive && source.onPrune(object) })];
  supervisors.onHint((_, uid) => {
    for (const service of parts.services.byIndex("uid", uid)) serviceController.enqueue(keyOf(service));
  });
  const manager = createManager({ clock, log });
  manager.add(...Object.values(informers), createEngineWatch({ ...parts, store, wake: workspaceController.enqueue, log }), workspaceController, serviceController, ...sourceControllers);
  manager.run(new AbortController().signal).catch((error: unknown) => trace(`manager failed: ${String(error)}`));
  return life;
}

/** Healthy as soon as it is asked. */
function simProber(): Prober {
  const healthy: Health = { state: "healthy", message: "simulated" };
  return { watch: () => healthy, unwatch: () => {}, onChange: () => {}, close: () => Promise.resolve() };
}

function mortalStore(life: Life, store: Store): Store {
  const mortal = <A extends readonly unknown[], R>(method: (...args: A) => Promise<R>) => (...args: A): Promise<R> => whileAlive(life, () => method.apply(store, args as never));
  return {
    get: mortal(store.get), list: mortal(store.list), create: mortal(store.create), update: mortal(store.update),
    updateStatus: mortal(store.updateStatus), patch: mortal(store.patch), delete: mortal(store.delete),
    async *watch(kind: never, selection: never, signal: AbortSignal) {
      for await (const event of store.watch(kind, selection, signal)) {
        if (!life.alive) return;
        yield event;
      }
    },
  } as unknown as Store;
}

function changing(life: Life, call: ReturnType<typeof faulty>, provider: Provider, { onChangingCall, trace }: ControlPlaneOptions): Provider {
  const change = (verb: string, id: string, ask: () => Promise<void>) => {
    // When it is decided: the call itself may come late.
    if (life.alive) onChangingCall(verb, id);
    return call(`${verb} ${id}`, async () => {
      trace(`${verb} ${id}`);
      await ask();
    });
  };
  return {
    ...provider,
    probe: (signal) => call("probe", () => provider.probe(signal)),
    list: (of, signal) => call("list", () => provider.list(of, signal)),
    inspect: (id, signal) => call("inspect", () => provider.inspect(id, signal)),
    create: (spec, progress, signal) => change("create", `vendetta-${spec.owner.cluster}-${spec.owner.uid}`, () => provider.create(spec, progress, signal)),
    start: (id, signal) => change("start", id, () => provider.start(id, signal)),
    stop: (id, grace, signal) => change("stop", id, () => provider.stop(id, grace, signal)),
    destroy: (id, how, signal) => change("destroy", id, () => provider.destroy(id, how, signal)),
  };
}

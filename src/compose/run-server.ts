import { createSourceReconciler, wakeSources } from "../../controllers/source/controller.ts";
import { createEngineWatch } from "../../controllers/engine-watch.ts";
import { createInstances } from "../../controllers/instances.ts";
import { createFoundOrphans } from "../../controllers/orphan/found-orphans.ts";
import { createNodeReconciler } from "../../controllers/node/controller.ts";
import { createBackgroundProber } from "../../controllers/service/background-prober.ts";
import { createServiceReconciler, serviceIndexes } from "../../controllers/service/controller.ts";
import { createSupervisors } from "../../controllers/service/exec-supervisor.ts";
import { createWorkspaceReconciler, workspaceIndexes } from "../../controllers/workspace/controller.ts";
import { clusterIdOf } from "../api/cluster-id.ts";
import type { Environment, HomePaths } from "../base/home.ts";
import { sleep, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { keyOf } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import type { NetworkState } from "../base/server-record.ts";
import { systemRandom as random } from "../base/system.ts";
import { createController, type Controller } from "../runtime/controller.ts";
import { createEventExpiry } from "../runtime/event-expiry.ts";
import { createEventRecorder } from "../runtime/event-recorder.ts";
import { createInformer } from "../runtime/informer.ts";
import { createManager } from "../runtime/manager.ts";
import { createNamespaceReconciler } from "../runtime/namespace-lifecycle.ts";
import { createOwnWrites } from "../runtime/own-writes.ts";
import { createOwnerGarbage } from "../runtime/owner-garbage.ts";
import type { Runnable } from "../runtime/runnable.ts";
import { createApp } from "../server/app.ts";
import { listen } from "../server/listener.ts";
import { createUpgrader } from "../server/upgrade.ts";
import { openFileStore, type FileStore } from "../store/file-store.ts";
import { createPodStore } from "../store/pod-store.ts";
import { createSourceReader } from "../sources/create-source-reader.ts";
import { StoreHeldError } from "../store/store-open-error.ts";
import { createLocalTransport } from "../transports/local.ts";
import { createForwarder } from "../transports/forwarder.ts";
import { registerLocalNode } from "./first-node.ts";
import { openCrossings } from "./open-crossings.ts";
import { createMachines } from "./machines.ts";
import { createPinoLogger } from "./pino-logger.ts";
import { createRegistry, createRuntimeMetrics } from "./prometheus-metrics.ts";
import { openNetworkEdge } from "./network-edge.ts";
import { createInstanceCommands } from "./instance-commands.ts";
import { createInstanceDial } from "./instance-dial.ts";
import { createInstanceUsage } from "./instance-usage.ts";
import { createServiceLogs } from "./service-logs.ts";
import { createSourcePlans } from "./source-plans.ts";
import { createWorkspaceConsole } from "./workspace-console.ts";

export interface ServerOptions {
  /** Aborts when the server is to stop. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly env: Environment;
  readonly version: string;
  /** Awaited once the store is open and the socket is listened on. */
  readonly onListening: (network: NetworkState) => Promise<void>;
}

/** Store, loops and API of one home, until the signal aborts; then everything it began has ended, and workloads go on. */
export async function runServer(paths: HomePaths, options: ServerOptions): Promise<void> {
  const log = createPinoLogger(options.env["VENDETTA_LOG_LEVEL"] ?? "info");
  const store = await openStore(paths.storeDir, options.clock, log, options.signal);
  try {
    await serve(paths, options, store, log);
  } finally {
    await store.close();
  }
}

/** A server that was killed holds its store until the kernel is done with it, which a slow disk can draw out. */
const heldMsMax = 5_000;
const heldRetryMs = 50;

async function openStore(dir: string, clock: Clock, log: Logger, signal: AbortSignal): Promise<FileStore> {
  const begun = clock.monotonic();
  for (;;) {
    try {
      return await openFileStore({ dir, clock, random, log });
    } catch (error) {
      if (!(error instanceof StoreHeldError) || clock.monotonic() - begun > heldMsMax) throw error;
      await sleep(clock, heldRetryMs, signal);
    }
  }
}

async function serve(paths: HomePaths, { signal, clock, env, version, onListening }: ServerOptions, store: FileStore, log: Logger): Promise<void> {
  const cluster = clusterIdOf(await store.get("Namespace", { name: "default" }));
  await registerLocalNode(store, env);

  const registry = createRegistry(version, clock);
  const metrics = createRuntimeMetrics(registry);
  const common = { store, clock, random, log, metrics };
  const informers = {
    Namespace: createInformer("Namespace", common),
    Node: createInformer("Node", common),
    Workspace: createInformer("Workspace", { ...common, indexes: workspaceIndexes }),
    Service: createInformer("Service", { ...common, indexes: serviceIndexes }),
    Source: createInformer("Source", common),
  };
  const nodes = informers.Node.lister;
  const workspaces = informers.Workspace.lister;
  const services = informers.Service.lister;

  const recorder = createEventRecorder({ ...common, component: "vendetta" });
  const machines = createMachines({ paths, cluster, clock, random, onWayChange: (nodeName) => nodeController.enqueue(keyOf({ name: nodeName })) });
  const supervisors = createSupervisors({ clock, log });
  const prober = createBackgroundProber({ clock, log });
  const forwards = createForwarder({ clock, log });
  const orphans = createFoundOrphans((nodeName) => nodeController.enqueue(keyOf({ name: nodeName })));
  const { reconciler: crossings, close: closeCrossings } = openCrossings({
    nodes, workspaces, services, machines, recorder, clock, log,
    wake: (nodeName) => crossingController.enqueue(keyOf({ name: nodeName })),
    onChange: (changed) => changed.forEach((service) => serviceController.enqueue(keyOf(service))),
  });
  const parts = { crossings, orphans, cluster, store: createOwnWrites(store, informers, clock), nodes, workspaces, services, machines, instances: createInstances(), supervisors, prober, forwards, recorder, clock };

  const control = { informers, clock, random, log, metrics };
  const workspaceController = createController(createWorkspaceReconciler(parts), control);
  const nodeController = createController(createNodeReconciler(parts), control);
  const serviceController = createController(createServiceReconciler(parts), control);
  const crossingController = createController(crossings, control);
  const wakeService = wakeByUid(serviceController, (uid) => services.byIndex("uid", uid));
  const here = createLocalTransport({ clock });
  const reader = createSourceReader({ clock, log, transport: here, cacheDir: paths.sourcesDir });
  const sourceReconciler = createSourceReconciler({ store: { ...parts.store, get: store.get.bind(store), list: store.list.bind(store), create: store.create.bind(store), patch: store.patch.bind(store), delete: store.delete.bind(store) }, sources: informers.Source.lister, reader, recorder, clock });
  const sourceController = createController(sourceReconciler, control);
  reader.onHint(sourceController.enqueue);
  wakeSources({ sources: informers.Source.lister, wake: sourceController.enqueue, informers });
  supervisors.onHint((_, uid) => wakeService(uid));
  prober.onChange(wakeService);

  const manager = createManager({ clock, log });
  let ready = false;
  manager.add(
    ...Object.values(informers),
    recorder,
    {
      name: "source-caches",
      phase: "sources",
      async run(stop, isReady) {
        await reader.keepOnly(informers.Source.lister.list()).catch((error: unknown) => log.warn("what is left of Sources that have gone could not be removed", { error: messageOf(error) }));
        isReady();
        await aborted(stop);
      },
    } satisfies Runnable,
    createEngineWatch({ cluster, orphans, store, nodes, workspaces, machines, recorder, wake: workspaceController.enqueue, clock, log }),
    nodeController,
    workspaceController,
    serviceController,
    crossingController,
    sourceController,
    createController(createNamespaceReconciler({ store: { ...parts.store, list: store.list.bind(store), delete: store.delete.bind(store) }, namespaces: informers.Namespace.lister, clock }), control),
    createOwnerGarbage({ store, informers: [informers.Workspace, informers.Service, informers.Node], clock, log }),
    createEventExpiry({ store, clock, log }),
    {
      name: "api",
      phase: "edge",
      async run(stop, isReady) {
        const health = [{ name: "controllers", live: false, check: () => (ready ? undefined : "starting") }];
        const logs = createServiceLogs({ ...parts, store });
        const seen = createPodStore(store, clock);
        const upgrade = createUpgrader({ store: seen, logs, commands: createInstanceCommands({ ...parts, store }), dial: createInstanceDial(parts), clock, log });
        const app = createApp({ store: seen, clock, log, version, health, logs, showConsole: createWorkspaceConsole(parts), plans: createSourcePlans(sourceReconciler), usage: createInstanceUsage({ ...parts, log }), metrics: registry, rotate: (wish) => network.rotate(wish) });
        const network = await openNetworkEdge({ paths, port: env["VENDETTA_PORT"], app, upgrade, log, clock });
        try {
          const listener = await listen({ upgrade, app, socketPath: paths.socketPath, log, clock });
          try {
            await onListening(network.state);
            log.info("serving", { cluster });
            isReady();
            await Promise.all([aborted(stop), network.run(stop)]);
          } finally {
            await Promise.all([listener.close(), network.close()]);
          }
        } finally {
          await network.close();
        }
      },
    } satisfies Runnable,
  );
  try {
    await manager.run(signal, () => (ready = true));
  } finally {
    ready = false;
    await reader.close();
    await here.close();
    await prober.close();
    await supervisors.close();
    await closeCrossings();
    await forwards.close();
    await machines.close();
  }
}

function wakeByUid(controller: Controller, find: (uid: string) => readonly Parameters<typeof keyOf>[0][]): (uid: string) => void {
  return (uid) => {
    for (const object of find(uid)) controller.enqueue(keyOf(object));
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}


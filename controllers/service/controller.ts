import { timestamp, timeoutSignal, type Clock } from "../../src/base/clock.ts";
import { assert, unreachable } from "../../src/base/assert.ts";
import { messageOf } from "../../src/base/errors.ts";
import { keyOf, type Key } from "../../src/base/keys.ts";
import { setConditions } from "../../src/api/conditions.ts";
import { restartedAtAnnotation } from "../../src/api/annotations.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import { portsOf, type Service, type ServiceStatus } from "../../src/api/service.ts";
import { isNotFound } from "../../src/api/status-error.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { ProviderError, type Instance, type Provider } from "../../src/providers/provider.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import { requeue, settled, type Outcome, type Reconciler } from "../../src/runtime/reconciler.ts";
import type { EventRecorder } from "../../src/runtime/recorder.ts";
import type { Store } from "../../src/store/store.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Instances } from "../instances.ts";
import type { Machine, Machines } from "../machines.ts";
import { describeFailure, isSilence, whyUnknown } from "../node/why-unknown.ts";
import { runEnvironment } from "./environment.ts";
import { eventsBetween } from "./events.ts";
import { goingDown, planService, serviceFinalizer, settleMs, type ServiceObservation, type ServicePlan } from "./plan.ts";
import type { Prober } from "./prober.ts";
import { inServerTime } from "./server-time.ts";
import type { Run, RunSpec, Supervisor, Supervisors } from "./supervisor.ts";

export interface ServiceControllerParts {
  readonly store: Pick<Store, "update" | "updateStatus">;
  readonly nodes: Lister<"Node">;
  /** With the index "workspaceRef": namespace/name of the Workspace. */
  readonly workspaces: Lister<"Workspace">;
  /** With the indexes "workspace" (namespace/workspace) and "dependency" (namespace/name of what it depends on). */
  readonly services: Lister<"Service">;
  readonly machines: Machines;
  readonly instances: Instances;
  readonly supervisors: Supervisors;
  readonly prober: Prober;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}

/** A pass that starts something looks at it at once; this many looks a pass, so that a fast crash cannot keep a worker. */
const looksMax = 3;
const inspectTimeoutMs = 15_000;
const silentRetryMs = 3000;

/** Indexes the Service informer must keep for this controller. */
export const serviceIndexes: Readonly<Record<string, (service: Service) => readonly string[]>> = {
  workspace: (service) => [`${service.metadata.namespace}/${service.spec.workspace}`],
  dependency: (service) => service.spec.dependsOn.map(({ name }) => `${service.metadata.namespace}/${name}`),
  uid: (service) => [service.metadata.uid],
};

/** Keeps every Service's command as wished: see plan.ts for what is decided, this file carries it out. */
export function createServiceReconciler(parts: ServiceControllerParts): Reconciler {
  const { services } = parts;
  const watchedUid = new Map<Key, string>();

  return {
    kind: "Service",
    name: "service-controller",
    watches: [
      {
        kind: "Service",
        keys: (service: Service): readonly Key[] => [
          keyOf(service),
          ...services.byIndex("dependency", keyOf(service)).map(keyOf),
          ...service.spec.dependsOn.map(({ name }) => keyOf({ namespace: service.metadata.namespace, name })),
        ],
      },
      { kind: "Workspace", keys: (workspace: Workspace): readonly Key[] => services.byIndex("workspace", keyOf(workspace)).map(keyOf) },
    ],
    lane(key) {
      const service = services.byKey(key);
      return service && parts.workspaces.get({ namespace: service.metadata.namespace, name: service.spec.workspace })?.status?.nodeName;
    },
    async reconcile(key, signal): Promise<Outcome> {
      const service = services.byKey(key);
      const uid = watchedUid.get(key);
      if (uid !== undefined && uid !== service?.metadata.uid) {
        parts.prober.unwatch(uid);
        watchedUid.delete(key);
      }
      if (service === undefined) return settled;
      watchedUid.set(key, service.metadata.uid);
      return reconcileService(parts, service, signal);
    },
  };
}

async function reconcileService(parts: ServiceControllerParts, stored: Service, signal: AbortSignal): Promise<Outcome> {
  let draft = stored;
  for (let look = 1; ; look++) {
    const place = await locate(parts, draft, signal);
    if (place.runs.kind === "silent") return requeue(silentRetryMs);
    const seen = observe(parts, draft, place);
    const plan = planService(draft, seen);
    const acted = await carryOut(parts, draft, place, plan, signal).catch(async (error: unknown) => {
      if (!signal.aborted) await writeStatus(parts, stored, withFailure(draft, plan, error, parts.clock.now()));
      throw error;
    });
    if (acted.gone) return settled;
    draft = withStatus(acted.service, plan, acted.facts, parts.clock.now());
    if (!acted.lookAgain || look === looksMax) {
      await writeStatus(parts, stored, draft);
      if (acted.lookAgain) return requeue(50);
      return plan.afterMs === undefined ? settled : requeue(plan.afterMs);
    }
  }
}

/** Where the service's command runs and what is to be seen there. */
interface Place {
  readonly workspace: Workspace | undefined;
  readonly machine?: Machine | undefined;
  readonly provider?: Provider | undefined;
  readonly instance?: Instance | undefined;
  readonly supervisor?: Supervisor | undefined;
  readonly runs:
    | { readonly kind: "none" }
    | { readonly kind: "unknown"; readonly reason: string; readonly message: string }
    /** Its machine says nothing at the moment, which changes nothing. */
    | { readonly kind: "silent" }
    | { readonly kind: "known"; readonly all: readonly Run[] };
}

async function locate(parts: ServiceControllerParts, service: Service, signal: AbortSignal): Promise<Place> {
  const workspace = parts.workspaces.get({ namespace: service.metadata.namespace, name: service.spec.workspace });
  const { nodeName, instanceId, startId } = workspace?.status ?? {};
  const node: Node | undefined = nodeName === undefined ? undefined : parts.nodes.get({ name: nodeName });
  if (workspace === undefined || nodeName === undefined || instanceId === undefined || startId === undefined) return { workspace, runs: { kind: "none" } };
  if (node === undefined) return { workspace, runs: { kind: "unknown", reason: "NodeNotFound", message: `Node "${nodeName}" does not exist` } };
  const unknown = whyUnknown(node);
  if (unknown !== undefined) return { workspace, runs: { kind: "unknown", reason: "NodeUnknown", message: unknown } };
  const machine = parts.machines.of(node);
  const provider = machine.provider(workspace.spec.provider);
  if (provider === undefined) return { workspace, runs: { kind: "none" } };
  try {
    const instance = parts.instances.known(instanceId, startId) ?? (await inspect(parts, provider, instanceId, signal));
    if (instance?.state !== "running") return { workspace, provider, runs: { kind: "none" } };
    const supervisor = parts.supervisors.of(provider, instance);
    return { workspace, provider, instance, supervisor, machine, runs: { kind: "known", all: (await supervisor.runs(signal)).map((run) => inServerTime(run, node.status?.clockSkewSeconds ?? 0)) } };
  } catch (error) {
    if (signal.aborted) throw error;
    // Known by now to be silent for good: no need to find that out once more.
    const lost = whyUnknown(parts.nodes.get(node.metadata) ?? node);
    if (lost !== undefined) return { workspace, runs: { kind: "unknown", reason: "NodeUnknown", message: lost } };
    if (await isSilence(error, machine, signal)) return { workspace, provider, runs: { kind: "silent" } };
    // What was remembered may be wrong now: the engine itself tells whether there is anything to be asked.
    parts.instances.forget(instanceId);
    const state = await inspect(parts, provider, instanceId, signal).then((found) => found?.state ?? "gone", (failure: unknown) => failure);
    if (signal.aborted) throw error;
    if (state === "running" || state === "paused") return { workspace, provider, runs: unreachableSupervisor(error, machine) };
    if (typeof state === "string") return { workspace, provider, runs: { kind: "none" } };
    return { workspace, provider, runs: (await isSilence(state, machine, signal)) ? { kind: "silent" } : unreachableSupervisor(state, machine) };
  }
}

async function inspect(parts: ServiceControllerParts, provider: Provider, id: string, signal: AbortSignal): Promise<Instance | undefined> {
  using bound = timeoutSignal(parts.clock, inspectTimeoutMs, "asking the engine", signal);
  return await parts.instances.inspect(provider, id, bound.signal);
}

const unreachableSupervisor = (error: unknown, machine: Machine) => ({ kind: "unknown", reason: "SupervisorUnreachable", message: describeFailure(error, machine) }) as const;

function observe(parts: ServiceControllerParts, service: Service, place: Place): ServiceObservation & { readonly spec: RunSpec } {
  const { workspace } = place;
  const { namespace, uid } = service.metadata;
  const dependencies = new Map<string, Service>();
  for (const { name } of service.spec.dependsOn) {
    const found = parts.services.get({ namespace, name });
    if (found !== undefined && !isDeleting(found)) dependencies.set(name, found);
  }
  const { hash, spec, withoutAddress } = runSpec(parts, service);
  assert(place.runs.kind !== "silent", "what a silent machine runs is not planned for");
  const runs = place.runs.kind === "known" ? { kind: "known" as const, latest: place.runs.all.find((run) => run.service === uid) } : place.runs;
  return {
    workspace, runs, hash, spec, dependencies, withoutAddress,
    health: health(parts, service, place, runs.kind === "known" ? runs.latest : undefined, spec),
    dependentsStopping: dependentsStopping(parts, service, place),
    now: parts.clock.now(),
  };
}

/** What a start now would run. */
function runSpec(parts: ServiceControllerParts, service: Service): { readonly hash: string; readonly spec: RunSpec; readonly withoutAddress: readonly string[] } {
  const { command, workingDir } = service.spec;
  const { declared, all, withoutAddress } = runEnvironment(service, parts);
  const asked = service.metadata.annotations?.[restartedAtAnnotation];
  const hash = fingerprint({ command, workingDir, env: declared, ...(asked === undefined ? {} : { asked }) });
  return { hash, withoutAddress, spec: { service: service.metadata.uid, hash, command, workingDir, env: all } };
}

function health(parts: ServiceControllerParts, service: Service, place: Place, run: Run | undefined, spec: RunSpec): ServiceObservation["health"] {
  const { uid } = service.metadata;
  if (run?.state.kind !== "running" || place.machine === undefined || place.provider === undefined || place.instance === undefined) {
    parts.prober.unwatch(uid);
    return { state: "pending", message: "does not run" };
  }
  const port = portsOf(service.spec)[0]?.port;
  const check = service.spec.healthCheck ?? (port === undefined ? { kind: "running" as const, settleMs: settleMs(run.startedAtSeconds * 1000, service.status?.failures ?? 0, parts.clock.now()) } : { tcp: {}, intervalSeconds: 5, timeoutSeconds: 2, failureThreshold: 3, startPeriodSeconds: 30 });
  return parts.prober.watch(uid, {
    run: `${place.instance.startId}/${run.number}/${"kind" in check ? check.kind : fingerprint(check)}`,
    check, defaultPort: port, provider: place.provider, watchWay: place.machine.remote?.watch, instanceId: place.instance.id, env: spec.env,
    workingDir: service.spec.workingDir ?? place.workspace?.spec.workingDir,
  });
}

/** Dependents with a living process that are on their way down as well: they stop first. */
function dependentsStopping(parts: ServiceControllerParts, service: Service, place: Place): readonly string[] {
  const { namespace } = service.metadata;
  return parts.services
    .byIndex("dependency", keyOf(service))
    .filter((dependent) => {
      const workspace = parts.workspaces.get({ namespace, name: dependent.spec.workspace });
      if (!isDeleting(dependent) && (workspace === undefined || goingDown(workspace) === undefined)) return false;
      if (dependent.spec.workspace === service.spec.workspace && place.runs.kind === "known") {
        return place.runs.all.some((run) => run.service === dependent.metadata.uid && run.state.kind === "running");
      }
      // Elsewhere its status has to do; one that cannot be asked must not hold this one for ever.
      return dependent.status?.pid !== undefined && dependent.status.phase !== "Unknown";
    })
    .map((dependent) => dependent.metadata.name);
}

interface Acted {
  readonly service: Service;
  /** Status fields known only after acting. */
  readonly facts: Partial<ServiceStatus>;
  readonly lookAgain: boolean;
  readonly gone: boolean;
}

async function carryOut(parts: ServiceControllerParts, draft: Service, place: Place, plan: ServicePlan, signal: AbortSignal): Promise<Acted> {
  let service = draft;
  let facts: Partial<ServiceStatus> = {};
  let lookAgain = false;
  const { uid } = service.metadata;
  for (const step of plan.steps) {
    switch (step.do) {
      case "adopt": {
        const adopted = await parts.store.update("Service", { ...service, metadata: { ...service.metadata, finalizers: [...(service.metadata.finalizers ?? []), serviceFinalizer] } });
        service = { ...adopted, ...(draft.status === undefined ? {} : { status: draft.status }) };
        lookAgain = true;
        break;
      }
      case "start": {
        const { spec } = observe(parts, service, place);
        await checkPortsFree(parts, service, place);
        const run = await place.supervisor!.start(spec, signal);
        // A run that has ended already is left to the next look, which counts its end.
        if (run.state.kind === "running") facts = { pid: run.state.pid, runNumber: run.number, runHash: run.hash, startedAt: timestamp(run.startedAtSeconds * 1000), instanceStartId: place.instance!.startId };
        lookAgain = true;
        break;
      }
      case "signal":
        parts.recorder.event(service, step.name === "KILL" ? "Warning" : "Normal", step.name === "KILL" ? "Killing" : "Stopping", `sending SIG${step.name}: ${step.why}`);
        await place.supervisor!.signal(uid, step.run, step.name, signal);
        break;
      case "forget":
        await place.supervisor?.forget(uid, signal);
        break;
      case "finish":
        await finish(parts, service);
        return { service, facts, lookAgain: false, gone: true };
      default:
        unreachable(step);
    }
  }
  return { service, facts, lookAgain, gone: false };
}

/** Where the node's own ports are used, a stranger on one of them would answer for the service. @throws ProviderError PortInUse */
async function checkPortsFree(parts: ServiceControllerParts, service: Service, { workspace, provider }: Place): Promise<void> {
  const { nodeName, ports = [] } = workspace?.status ?? {};
  const node = nodeName === undefined ? undefined : parts.nodes.get({ name: nodeName });
  if (node === undefined) return;
  for (const { port } of portsOf(service.spec)) {
    const shared = provider?.features.sharesNodeNetwork === true && ports.some((each) => each.port === port);
    if (shared && !(await parts.machines.of(node).transport.isPortFree(port))) {
      throw new ProviderError("PortInUse", `port ${port} of Node "${nodeName}" is in use by another process: end it ('ss -ltnp sport = :${port}' there tells which), or give the Service another port`, true);
    }
  }
}

async function finish(parts: ServiceControllerParts, service: Service): Promise<void> {
  parts.prober.unwatch(service.metadata.uid);
  try {
    await parts.store.update("Service", { ...service, metadata: { ...service.metadata, finalizers: (service.metadata.finalizers ?? []).filter((each) => each !== serviceFinalizer) } });
  } catch (error) {
    // INV-8: gone is what was asked for.
    if (!isNotFound(error)) throw error;
  }
}

function withStatus(service: Service, plan: ServicePlan, facts: Partial<ServiceStatus>, nowMs: number): Service {
  const merged = { ...service.status, ...plan.status, ...facts, observedGeneration: service.metadata.generation, conditions: [...setConditions(service.status?.conditions, timestamp(nowMs), ...plan.conditions)] };
  const status = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as ServiceStatus;
  return { ...service, status };
}

/** The step failed: the condition says so, and observedGeneration stays (INV-7). */
function withFailure(service: Service, plan: ServicePlan, error: unknown, nowMs: number): Service {
  const failure = { type: "Ready", status: "False", reason: error instanceof ProviderError ? error.reason : "Failed", message: messageOf(error), observedGeneration: service.metadata.generation } as const;
  const { observedGeneration: _, ...status } = withStatus(service, { ...plan, conditions: [failure] }, {}, nowMs).status!;
  return { ...service, status: { ...service.status, ...status, phase: "Failed" } };
}

async function writeStatus(parts: ServiceControllerParts, stored: Service, draft: Service): Promise<void> {
  if (fingerprint(stored.status) === fingerprint(draft.status)) return;
  await parts.store.updateStatus("Service", draft);
  for (const { type, reason, message } of eventsBetween(stored.status, draft.status!)) parts.recorder.event(draft, type, reason, message);
}

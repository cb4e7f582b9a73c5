import { createHash } from "node:crypto";
import { timestamp, timeoutSignal, type Clock } from "../../src/base/clock.ts";
import { unreachable } from "../../src/base/assert.ts";
import { messageOf } from "../../src/base/errors.ts";
import { keyOf, type Key } from "../../src/base/keys.ts";
import { findCondition, isTrue, setConditions, type ConditionInput } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import { portsOf, type Service } from "../../src/api/service.ts";
import { isNotFound } from "../../src/api/status-error.ts";
import type { Workspace, WorkspacePort, WorkspaceStatus } from "../../src/api/workspace.ts";
import { instanceId, ProviderError, type Instance, type Progress, type Provider } from "../../src/providers/provider.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import { requeue, settled, type Outcome, type Reconciler } from "../../src/runtime/reconciler.ts";
import type { EventRecorder } from "../../src/runtime/recorder.ts";
import type { Store } from "../../src/store/store.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Instances } from "../instances.ts";
import type { Machine, Machines } from "../machines.ts";
import { describeFailure, isSilence, whyUnknown } from "../node/why-unknown.ts";
import type { Supervisors } from "../service/supervisor.ts";
import { createFailures, type Failures } from "./failures.ts";
import type { Forwards } from "./forwards.ts";
import { instanceSpec, specHashOf } from "./instance-spec.ts";
import { planWorkspace, workspaceFinalizer, type WorkspaceObservation, type WorkspacePlan, type WorkspaceStep } from "./plan.ts";
import { assignPorts, type PortAnswer } from "./ports.ts";
import { schedule } from "./schedule.ts";

export interface WorkspaceControllerParts {
  readonly cluster: string;
  readonly store: Pick<Store, "update" | "updateStatus">;
  readonly nodes: Lister<"Node">;
  /** With `workspaceIndexes`. */
  readonly workspaces: Lister<"Workspace">;
  /** With the index "workspace": namespace/workspace. */
  readonly services: Lister<"Service">;
  readonly machines: Machines;
  readonly instances: Instances;
  readonly supervisors: Supervisors;
  readonly forwards: Forwards;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}

/** What the cache of Workspaces must find them under. */
export const workspaceIndexes = {
  uid: ({ metadata }: Workspace) => [metadata.uid],
  /** The Node it is placed on. */
  node: ({ status }: Workspace) => (status?.nodeName === undefined ? [] : [status.nodeName]),
  /** Each node port it has on record: all are the server's machine's, whichever Node they lead to. */
  nodePort: ({ status }: Workspace) => (status?.ports ?? []).map(({ nodePort }) => String(nodePort)),
};

/** A pass goes from nothing to running: create, start, and the look that finds it running. */
const looksMax = 6;
const inspectTimeoutMs = 15_000;
/** An engine that did not answer is asked again this often: a refused connection costs next to nothing, and people wait for it. */
const unknownRetryMs = 3000;
/** How often a long creation looks whether it is still wanted. */
const interruptCheckMs = 250;
/** How often creation's progress may become a status write. */
const progressIntervalMs = 1000;

/** Keeps every Workspace's instance as wished: plan.ts decides, this file looks and acts. */
export function createWorkspaceReconciler(parts: WorkspaceControllerParts): Reconciler {
  const { workspaces, services } = parts;
  const failures = createFailures(parts.clock);
  const seenUids = new Map<Key, string>();

  return {
    kind: "Workspace",
    name: "workspace-controller",
    watches: [
      { kind: "Workspace" },
      { kind: "Service", keys: (service: Service) => workspaceToWake(workspaces, service) },
      { kind: "Node", keys: (node: Node) => workspaces.list().filter((each) => concernsNode(each, node)).map(keyOf) },
    ],
    lane: (key) => workspaces.byKey(key)?.status?.nodeName,
    async reconcile(key, signal): Promise<Outcome> {
      const workspace = workspaces.byKey(key);
      const uid = seenUids.get(key);
      if (uid !== undefined && uid !== workspace?.metadata.uid) {
        await release(parts, uid);
        failures.clear(uid);
        seenUids.delete(key);
      }
      if (workspace === undefined) return settled;
      seenUids.set(key, workspace.metadata.uid);
      const waitMs = failures.waitMs(workspace.metadata.uid, workspace.metadata.generation);
      if (waitMs > 0) return requeue(waitMs);
      return new Pass(parts, workspace, failures, services).run(signal);
    },
  };
}

/** A Service matters to its Workspace's loop when its ports are not on record, or while the Workspace waits for it to stop. */
function workspaceToWake(workspaces: Lister<"Workspace">, service: Service): readonly Key[] {
  const key = keyOf({ namespace: service.metadata.namespace, name: service.spec.workspace });
  const workspace = workspaces.byKey(key);
  if (workspace === undefined) return [];
  const { phase, ports = [] } = workspace.status ?? {};
  const waiting = isDeleting(workspace) || workspace.spec.state === "Stopped" || phase === "Recreating";
  const portsDiffer = isDeleting(service) || portsOf(service.spec).some(({ port }) => !ports.some((each) => each.port === port));
  return waiting || portsDiffer ? [key] : [];
}

function concernsNode(workspace: Workspace, node: Node): boolean {
  const { nodeName } = workspace.status ?? {};
  return nodeName === undefined || (nodeName === node.metadata.name && (!isTrue(workspace.status?.conditions, "Ready") || whyUnknown(node) !== undefined));
}

async function release(parts: WorkspaceControllerParts, uid: string): Promise<void> {
  const id = instanceId({ cluster: parts.cluster, uid });
  await parts.forwards.sync(uid, []);
  parts.supervisors.release(id);
  parts.instances.forget(id);
}

/** One reconcile of one Workspace. Holds the draft of its status while it works. */
class Pass {
  readonly #parts: WorkspaceControllerParts;
  readonly #failures: Failures;
  readonly #services: Lister<"Service">;
  /** As last written to the store. */
  #stored: Workspace;

  constructor(parts: WorkspaceControllerParts, workspace: Workspace, failures: Failures, services: Lister<"Service">) {
    this.#parts = parts;
    this.#stored = workspace;
    this.#failures = failures;
    this.#services = services;
  }

  async run(signal: AbortSignal): Promise<Outcome> {
    const workspace = this.#stored;
    const held = (workspace.metadata.finalizers ?? []).includes(workspaceFinalizer);
    if (isDeleting(workspace) && !held) return settled;
    if (!held) await this.#adopt();
    if (this.#stored.status?.nodeName === undefined) {
      if (isDeleting(workspace)) {
        await this.#finish();
        return settled;
      }
      if (!(await this.#place())) return settled;
    }
    const node = this.#parts.nodes.get({ name: this.#stored.status!.nodeName! });
    const machine = node === undefined ? undefined : this.#parts.machines.of(node);
    const provider = machine?.provider(workspace.spec.provider);
    if (node === undefined || machine === undefined || provider === undefined) {
      const message = node === undefined ? `Node "${this.#stored.status!.nodeName}" does not exist; what runs there is left alone` : `this version of vendetta has no provider ${workspace.spec.provider}`;
      await this.#write({ phase: "Unknown" }, { type: "Ready", status: "Unknown", reason: node === undefined ? "NodeNotFound" : "ProviderNotSupported", message });
      return settled;
    }
    const unknown = whyUnknown(node);
    if (unknown !== undefined) {
      const waits = isDeleting(workspace) ? "; its removal waits for that" : "";
      await this.#write({ phase: "Unknown" }, { type: "Ready", status: "Unknown", reason: "NodeUnknown", message: `${unknown}${waits}` });
      return settled;
    }
    return this.#converge(node, machine, provider, signal);
  }

  async #converge(node: Node, machine: Machine, provider: Provider, signal: AbortSignal): Promise<Outcome> {
    let plan: WorkspacePlan | undefined;
    let made = false;
    for (let look = 0; look < looksMax; look++) {
      const observation = await this.#observe(machine, provider, signal);
      if (observation === "silent") return requeue(unknownRetryMs);
      const instance = observation.instance.kind === "known" ? observation.instance.instance : undefined;
      if (observation.instance.kind === "known" && !isDeleting(this.#stored)) {
        const conflict = await this.#ports(node, machine, provider, instance);
        if (conflict !== undefined) return this.#failed(new ProviderError("PortConflict", conflict, true), instance, provider, signal);
      }
      if (made && instance !== undefined && instance.specHash !== observation.specHash) {
        // Making it anew at once would go on for ever.
        return this.#failed(new ProviderError("SpecNotKept", `${instance.id} was made a moment ago, and the engine tells of another spec than it was given`, true), instance, provider, signal);
      }
      plan = planWorkspace(this.#stored, observation);
      // On record before anything is done: a crash from here on finds the world no stranger than the status says.
      await this.#write(plan.status, plan.condition);
      try {
        for (const step of plan.steps) {
          if (await this.#carryOut(step, provider, signal)) return settled;
          made ||= step.do === "create";
        }
      } catch (error) {
        if (signal.aborted) throw error;
        if (error === interrupted) return requeue(0);
        return this.#failed(error, instance, provider, signal);
      }
      if (!plan.lookAgain) break;
    }
    if (plan?.status.phase === "Unknown") return requeue(unknownRetryMs);
    this.#failures.clear(this.#stored.metadata.uid);
    if (plan?.lookAgain) return requeue(1000);
    return plan?.afterMs === undefined ? settled : requeue(plan.afterMs);
  }

  /** "silent": the machine says nothing at the moment, which changes nothing. */
  async #observe(machine: Machine, provider: Provider, signal: AbortSignal): Promise<WorkspaceObservation | "silent"> {
    const { clock, cluster, instances } = this.#parts;
    const specHash = specHashOf(this.#stored);
    let instance: Instance | undefined;
    try {
      using bound = timeoutSignal(clock, inspectTimeoutMs, "asking the engine", signal);
      instance = await instances.inspect(provider, instanceId({ cluster, uid: this.#stored.metadata.uid }), bound.signal);
    } catch (error) {
      if (signal.aborted) throw error;
      if (await isSilence(error, machine, signal)) return "silent";
      const reason = error instanceof ProviderError ? error.reason : "EngineUnreachable";
      return { instance: { kind: "unknown", reason, message: describeFailure(error, machine) }, specHash, difference: "", running: { names: [], graceSeconds: 0 }, now: clock.now() };
    }
    const down = isDeleting(this.#stored) || this.#stored.spec.state === "Stopped" || (instance !== undefined && instance.specHash !== specHash);
    const running = down && instance?.state === "running" ? await this.#runningServices(provider, instance, signal) : { names: [], graceSeconds: 0 };
    return { instance: { kind: "known", instance }, specHash, difference: instance !== undefined && instance.generation === this.#stored.metadata.generation ? "it was asked for" : "its spec has changed", running, now: clock.now() };
  }

  /** Services whose process lives, as the instance itself tells. */
  async #runningServices(provider: Provider, instance: Instance, signal: AbortSignal): Promise<WorkspaceObservation["running"]> {
    const services = this.#services.byIndex("workspace", keyOf(this.#stored));
    if (services.length === 0) return { names: [], graceSeconds: 0 };
    const runs = await this.#parts.supervisors.of(provider, instance).runs(signal);
    const living = services.filter((service) => runs.some((run) => run.service === service.metadata.uid && run.state.kind === "running"));
    return { names: living.map((each) => each.metadata.name), graceSeconds: living.reduce((sum, each) => sum + each.spec.terminationGracePeriodSeconds, 0) };
  }

  /** Records where its ports are, then carries those the engine does not. Answers what is in the way, if anything. */
  async #ports(node: Node, machine: Machine, provider: Provider, instance: Instance | undefined): Promise<string | undefined> {
    const { uid } = this.#stored.metadata;
    const answer = await this.#assign(node, machine, provider, instance);
    if (answer.kind === "conflict") return answer.message;
    if (fingerprint(answer.ports) !== fingerprint(this.#stored.status?.ports ?? [])) {
      const moved = (this.#stored.status?.ports ?? []).filter((old) => answer.ports.some((each) => each.port === old.port && each.nodePort !== old.nodePort));
      for (const { port, nodePort } of moved) this.#parts.recorder.event(this.#stored, "Warning", "PortMoved", `port ${port} no longer answers on node port ${nodePort}: ${answer.ports.find((each) => each.port === port)!.nodePort} from now on`);
      await this.#write({ ports: answer.ports.map((each) => ({ ...each })) });
    }
    const id = instanceId({ cluster: this.#parts.cluster, uid });
    // By the way there is when somebody connects: the Node may be reached otherwise by then.
    const { nodes, machines } = this.#parts;
    const providerNow = () => machines.of(nodes.get(node.metadata) ?? node).provider(provider.name) ?? provider;
    const forwards = answer.ports.filter((each) => each.via === "Forward").map(({ port, nodePort }) => ({ nodePort, dial: (signal: AbortSignal) => providerNow().dial(id, port, signal) }));
    const refused = await this.#parts.forwards.sync(uid, forwards);
    if (refused.size === 0) return undefined;
    // Stolen: forget them, so that the next pass chooses others.
    await this.#write({ ports: answer.ports.filter((each) => !refused.has(each.nodePort)).map((each) => ({ ...each })) });
    return [...refused].map(([port, why]) => `node port ${port} cannot be used: ${why}`).join("; ");
  }

  #assign(node: Node, machine: Machine, provider: Provider, instance: Instance | undefined): Promise<PortAnswer> {
    const { metadata, spec, status } = this.#stored;
    const wanted = new Map<number, number | undefined>();
    for (const { port, nodePort } of spec.ports) wanted.set(port, nodePort);
    for (const service of this.#services.byIndex("workspace", keyOf(this.#stored))) {
      if (!isDeleting(service)) for (const { port } of portsOf(service.spec)) if (!wanted.has(port)) wanted.set(port, undefined);
    }
    const holder = (nodePort: number) => {
      const other = this.#parts.workspaces.byIndex("nodePort", String(nodePort)).find((each) => each.metadata.uid !== metadata.uid);
      return other && `Workspace "${other.metadata.namespace}/${other.metadata.name}"`;
    };
    const sharer = (port: number) => {
      const shares = (each: Workspace) => each.metadata.uid !== metadata.uid && machine.provider(each.spec.provider)?.features.sharesNodeNetwork === true;
      // Once on record it was nobody's else, and stays so.
      if (status?.ports?.some((each) => each.port === port)) return undefined;
      const other = this.#parts.workspaces.byIndex("node", node.metadata.name).find((each) => shares(each) && each.status?.ports?.some((one) => one.port === port));
      return other && `Workspace "${other.metadata.namespace}/${other.metadata.name}"`;
    };
    return assignPorts({
      wanted: [...wanted].map(([port, nodePort]) => ({ port, nodePort })),
      recorded: status?.ports ?? [],
      published: instance?.ports,
      enginePublishes: provider.features.publishesPorts,
      sharesNodeNetwork: provider.features.sharesNodeNetwork,
      isRemote: machine.remote !== undefined,
      range: node.spec.nodePorts,
      seed: createHash("sha256").update(metadata.uid).digest().readUInt32BE(0),
      holder,
      sharer,
      isFree: (port) => (machine.remote ?? { isNodePortFree: machine.transport.isPortFree }).isNodePortFree(port),
    });
  }

  /** True: the Workspace is gone. */
  async #carryOut(step: WorkspaceStep, provider: Provider, signal: AbortSignal): Promise<boolean> {
    const { cluster, recorder, supervisors, instances } = this.#parts;
    const id = instanceId({ cluster, uid: this.#stored.metadata.uid });
    switch (step.do) {
      case "announce":
        recorder.event(this.#stored, step.type, step.reason, step.message);
        return false;
      case "create":
        await this.#create(provider, signal);
        recorder.event(this.#stored, "Normal", "Created", `made ${id}${this.#stored.spec.image === undefined ? "" : ` from ${this.#stored.spec.image}`}`);
        return false;
      case "start":
        await provider.start(id, signal);
        recorder.event(this.#stored, "Normal", "Started", `started ${id}`);
        return false;
      case "stop":
        supervisors.release(id);
        await provider.stop(id, this.#stored.spec.terminationGracePeriodSeconds, signal);
        recorder.event(this.#stored, "Normal", "Stopped", `stopped ${id}`);
        return false;
      case "destroy":
        supervisors.release(id);
        await provider.destroy(id, { volumes: step.volumes }, signal);
        instances.forget(id);
        recorder.event(this.#stored, "Normal", "Removed", `removed ${id}${step.volumes ? " and its volumes" : ""}`);
        return false;
      case "finish":
        await this.#finish();
        return true;
      default:
        return unreachable(step);
    }
  }

  /** Creation may take minutes (an image): it is given up at once when the Workspace is changed or deleted meanwhile. */
  async #create(provider: Provider, signal: AbortSignal): Promise<void> {
    const { clock, cluster, workspaces, recorder } = this.#parts;
    const started = this.#stored;
    const interrupt = new AbortController();
    let check: Disposable;
    const arm = () => {
      check = clock.after(interruptCheckMs, () => {
        const now = workspaces.get(started.metadata);
        if (now === undefined || now.metadata.generation > started.metadata.generation) interrupt.abort(interrupted);
        else arm();
      });
    };
    arm();
    let toldAt = clock.monotonic();
    let telling: Promise<void> = Promise.resolve();
    const progress: Progress = (message, milestone) => {
      if (milestone !== undefined) recorder.event(started, "Normal", milestone, message);
      if (milestone === undefined && clock.monotonic() - toldAt < progressIntervalMs) return;
      toldAt = clock.monotonic();
      // Progress is only told. A write that fails here means that the Workspace changed, which the interrupt sees as well.
      telling = telling.then(() => this.#write({}, { type: "Ready", status: "False", reason: "Creating", message })).catch(() => {});
    };
    try {
      await provider.create(instanceSpec(started, cluster, started.status?.ports ?? []), progress, AbortSignal.any([signal, interrupt.signal]));
    } finally {
      check![Symbol.dispose]();
      await telling;
    }
  }

  /** The step failed: said in the status and an event, and tried again ever more slowly. */
  async #failed(error: unknown, instance: Instance | undefined, provider: Provider, signal: AbortSignal): Promise<Outcome> {
    const { uid, generation } = this.#stored.metadata;
    const reason = error instanceof ProviderError ? error.reason : "Failed";
    const message = messageOf(error);
    if (reason === "PortInUse" && (instance === undefined || instance.state === "created")) await this.#movePorts(provider, signal);
    const retryMs = this.#failures.add(uid, generation);
    this.#parts.recorder.event(this.#stored, "Warning", reason, message);
    await this.#write(
      { phase: isDeleting(this.#stored) ? "Deleting" : "Failed", failures: this.#failures.count(uid), nextRetryTime: timestamp(this.#parts.clock.now() + retryMs) },
      { type: "Ready", status: "False", reason, message },
    );
    return requeue(retryMs);
  }

  /** Somebody took a port between our choice and the engine's bind. Nothing has run yet, so nothing is lost by making it anew with other ports. */
  async #movePorts(provider: Provider, signal: AbortSignal): Promise<void> {
    const id = instanceId({ cluster: this.#parts.cluster, uid: this.#stored.metadata.uid });
    await provider.destroy(id, { volumes: false }, signal);
    this.#parts.instances.forget(id);
    await this.#write({ ports: (this.#stored.status?.ports ?? []).filter((each) => each.via !== "Engine").map((each) => ({ ...each })) as WorkspacePort[] });
  }

  async #adopt(): Promise<void> {
    const { metadata } = this.#stored;
    this.#stored = await this.#parts.store.update("Workspace", { ...this.#stored, metadata: { ...metadata, finalizers: [...(metadata.finalizers ?? []), workspaceFinalizer] } });
  }

  /** False: no Node fits; a change of a Node or of the Workspace wakes it. */
  async #place(): Promise<boolean> {
    const { nodes, workspaces, cluster } = this.#parts;
    const placement = schedule(this.#stored, nodes.list(), (nodeName) => workspaces.byIndex("node", nodeName));
    const generation = this.#stored.metadata.generation;
    if (placement.kind === "unplaced") {
      const reason = "Unschedulable";
      if (findCondition(this.#stored.status?.conditions, "Scheduled")?.message !== placement.message) this.#parts.recorder.event(this.#stored, "Warning", reason, placement.message);
      await this.#write({ phase: "Pending" }, { type: "Scheduled", status: "False", reason, message: placement.message }, { type: "Ready", status: "False", reason, message: placement.message });
      return false;
    }
    await this.#write(
      { phase: "Pending", nodeName: placement.nodeName, instanceId: instanceId({ cluster, uid: this.#stored.metadata.uid }) },
      { type: "Scheduled", status: "True", reason: "Placed", message: `placed on Node "${placement.nodeName}"`, observedGeneration: generation },
    );
    return true;
  }

  async #finish(): Promise<void> {
    const { metadata } = this.#stored;
    await release(this.#parts, metadata.uid);
    try {
      await this.#parts.store.update("Workspace", { ...this.#stored, metadata: { ...metadata, finalizers: (metadata.finalizers ?? []).filter((each) => each !== workspaceFinalizer) } });
    } catch (error) {
      // INV-8: gone is what was asked for.
      if (!isNotFound(error)) throw error;
    }
  }

  /** Merges into the status, undefined taking a field away; writes only what differs. */
  async #write(fields: Partial<WorkspaceStatus>, ...conditions: readonly ConditionInput[]): Promise<void> {
    const old = this.#stored.status ?? {};
    const merged = { ...old, ...fields, conditions: [...setConditions(old.conditions, timestamp(this.#parts.clock.now()), ...conditions)] };
    const status = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as WorkspaceStatus;
    if (fingerprint(status) === fingerprint(this.#stored.status)) return;
    this.#stored = await this.#parts.store.updateStatus("Workspace", { ...this.#stored, status });
  }
}

/** The reason of an abort that means: the Workspace changed under a long step; look again. */
const interrupted = new Error("the Workspace changed meanwhile");

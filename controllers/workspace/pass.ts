import { timestamp } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { findCondition } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { ProviderError, type Instance, type Provider } from "../../src/providers/provider.ts";
import { requeue, settled, type Outcome } from "../../src/runtime/reconciler.ts";
import { interrupted } from "../../src/runtime/unless-unwanted.ts";
import type { Machine } from "../machines.ts";
import { whyUnknown } from "../node/why-unknown.ts";
import { carryOut, finish, leave } from "./carry-out.ts";
import { WorkspaceDraft } from "./draft.ts";
import { evictionOf, type Eviction } from "./eviction.ts";
import { planFailover, type FailoverPlan } from "./failover.ts";
import type { Failures } from "./failures.ts";
import { forgetStolen, keepPorts } from "./keep-ports.ts";
import { removeLeftBehind } from "./left-behind.ts";
import { observeInstance } from "./observe.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import type { Placer } from "./place.ts";
import { planWorkspace, workspaceFinalizer } from "./plan.ts";
import type { WorkspacePlan } from "./workspace-plan.ts";

/** A pass goes from nothing to running: create, start, and the look that finds it running. */
const looksMax = 6;
/** An engine that did not answer is asked again this often: a refused connection costs next to nothing, and people wait for it. */
const unknownRetryMs = 3000;

/** What the passes of all Workspaces share. */
export interface PassShared {
  readonly placer: Placer;
  readonly failures: Failures;
  /** From when on what is on record of Nodes counts, milliseconds since the epoch. */
  readonly trustedFromMs: number;
}

/** One reconcile of one Workspace. */
export class WorkspacePass {
  readonly #parts: WorkspaceControllerParts;
  readonly #shared: PassShared;
  readonly #draft: WorkspaceDraft;
  /** Why it cannot be made anew elsewhere although it should be. */
  #refusal: string | undefined;

  constructor(parts: WorkspaceControllerParts, shared: PassShared, workspace: Workspace) {
    this.#parts = parts;
    this.#draft = new WorkspaceDraft(parts, workspace);
    this.#shared = shared;
  }

  async run(signal: AbortSignal): Promise<Outcome> {
    const workspace = this.#draft.stored;
    const held = (workspace.metadata.finalizers ?? []).includes(workspaceFinalizer);
    if (isDeleting(workspace) && !held) return settled;
    if (!held) await this.#draft.adopt();
    // First, so that a Node that is back runs it no longer than need be (INV-3).
    const retryMs = await removeLeftBehind(this.#parts, this.#draft, signal);
    return sooner(await this.#settle(signal), retryMs);
  }

  /** Sees to it that it has a Node, then to its instance there. */
  async #settle(signal: AbortSignal): Promise<Outcome> {
    if (this.#draft.stored.status?.nodeName === undefined) {
      if (isDeleting(this.#draft.stored)) {
        await finish(this.#parts, this.#draft);
        return settled;
      }
      if (!(await this.#shared.placer.place(this.#draft))) return settled;
    }
    const nodeName = this.#draft.stored.status!.nodeName!;
    const node = this.#parts.nodes.get({ name: nodeName });
    const now = this.#parts.clock.now();
    const failover = planFailover(this.#draft.stored, node, this.#shared.trustedFromMs, now);
    if (failover.kind === "due" && (await this.#failOver(failover.why, node === undefined))) return requeue(0);
    const retryMs = failover.kind === "wait" ? failover.dueMs - now : undefined;
    const note = this.#failoverNote(failover);
    if (node === undefined && isDeleting(this.#draft.stored) && this.#draft.stored.status?.leftBehind === undefined) {
      this.#parts.recorder.event(this.#draft.stored, "Warning", "NodeForgotten", `Node "${nodeName}" was forgotten; ${this.#draft.instanceId} may still be there`);
      await finish(this.#parts, this.#draft);
      return settled;
    }
    const machine = node === undefined ? undefined : this.#parts.machines.of(node);
    const provider = machine?.provider(this.#draft.stored.spec.provider);
    if (node === undefined || machine === undefined || provider === undefined) {
      const message = node === undefined ? `Node "${nodeName}" does not exist; what runs there is left alone` : `this version of vendetta has no provider ${this.#draft.stored.spec.provider}`;
      await this.#unknown(node === undefined ? "NodeNotFound" : "ProviderNotSupported", `${message}${note}`);
      return sooner(settled, retryMs);
    }
    const unknown = whyUnknown(node);
    if (unknown === undefined) return sooner(await this.#converge(node, machine, provider, note, signal), retryMs);
    await this.#unknown("NodeUnknown", `${unknown}${isDeleting(this.#draft.stored) ? "; its removal waits for that" : ""}${note}`);
    return sooner(settled, retryMs);
  }

  async #unknown(reason: string, message: string): Promise<void> {
    await this.#draft.write({ phase: "Unknown" }, { type: "Ready", status: "Unknown", reason, message });
  }

  /** True: it is on another Node now. Else why not is told, and a change of any Node wakes it. */
  async #failOver(why: string, isForgotten: boolean): Promise<boolean> {
    const refusal = await this.#shared.placer.failOver(this.#draft, why, isForgotten);
    if (refusal === undefined) {
      leave(this.#parts, this.#draft);
      return true;
    }
    this.#refusal = refusal;
    const told = findCondition(this.#draft.stored.status?.conditions, "Ready")?.message.includes(refusal) === true;
    if (!told) this.#parts.recorder.event(this.#draft.stored, "Warning", "FailoverBlocked", `${why}; it cannot be made anew elsewhere: ${refusal}`);
    return false;
  }

  /** What to add to why nothing is known of it. */
  #failoverNote(failover: FailoverPlan): string {
    if (failover.kind === "wait") return `; it is made anew on another Node at ${timestamp(failover.dueMs)}, unless this one is back before`;
    return this.#refusal === undefined ? "" : `; it cannot be made anew elsewhere: ${this.#refusal}`;
  }

  /** Whether its Node wants it gone, and whether there is a place to go to. */
  #evicted(node: Node): Eviction | undefined {
    const eviction = evictionOf(this.#draft.stored, node);
    if (eviction?.kind !== "move") return eviction;
    const placement = this.#shared.placer.elsewhere(this.#draft);
    return placement.kind === "placed" ? eviction : { ...eviction, kind: "stop", refusal: placement.message };
  }

  async #converge(node: Node, machine: Machine, provider: Provider, note: string, signal: AbortSignal): Promise<Outcome> {
    let plan: WorkspacePlan | undefined;
    let made = false;
    let wasStarted = false;
    for (let look = 0; look < looksMax; look++) {
      const observation = await observeInstance(this.#parts, this.#draft, machine, provider, this.#evicted(node), wasStarted, signal);
      if (observation === "silent") return requeue(unknownRetryMs);
      const instance = observation.instance.kind === "known" ? observation.instance.instance : undefined;
      if (observation.instance.kind === "known" && !isDeleting(this.#draft.stored)) {
        const conflict = await keepPorts(this.#parts, this.#draft, node, machine, provider, instance, signal);
        if (conflict !== undefined) return this.#failed(new ProviderError("PortConflict", conflict, true), instance, provider, signal);
      }
      if (made && instance !== undefined && instance.specHash !== observation.specHash) {
        // Making it anew at once would go on for ever.
        return this.#failed(new ProviderError("SpecNotKept", `${instance.id} was made a moment ago, and the engine tells of another spec than it was given`, true), instance, provider, signal);
      }
      plan = planWorkspace(this.#draft.stored, observation);
      // It would fail in the same way, and that is on record.
      const makes = plan.steps.some((step) => step.do === "create" || step.do === "start");
      if (makes && this.#shared.failures.isForGood(this.#draft.stored.metadata.uid, this.#draft.stored.metadata.generation)) return settled;
      // On record before anything is done: a crash from here on finds the world no stranger than the status says.
      await this.#draft.write(plan.status, plan.status.phase === "Unknown" ? { ...plan.condition, message: `${plan.condition.message}${note}` } : plan.condition, ...plan.moreConditions);
      try {
        for (const step of plan.steps) {
          if (await carryOut(this.#parts, this.#shared.placer, this.#draft, step, provider, signal)) return step.do === "move" ? requeue(0) : settled;
          made ||= step.do === "create";
          wasStarted ||= step.do === "start";
        }
      } catch (error) {
        if (signal.aborted) throw error;
        if (error === interrupted) return requeue(0);
        return this.#failed(error, instance, provider, signal);
      }
      if (!plan.lookAgain) break;
    }
    if (plan?.status.phase === "Unknown") return requeue(unknownRetryMs);
    this.#shared.failures.clear(this.#draft.stored.metadata.uid);
    if (plan?.lookAgain) return requeue(1000);
    return plan?.afterMs === undefined ? settled : requeue(plan.afterMs);
  }

  /** The step failed: said in the status and an event, and tried again ever more slowly; not at all when only another spec can help. */
  async #failed(error: unknown, instance: Instance | undefined, provider: Provider, signal: AbortSignal): Promise<Outcome> {
    const { uid, generation } = this.#draft.stored.metadata;
    const reason = error instanceof ProviderError ? error.reason : "Failed";
    const message = messageOf(error);
    if (reason === "PortInUse") await this.#movePorts(provider, instance, message, signal);
    this.#parts.recorder.event(this.#draft.stored, "Warning", reason, message);
    if (error instanceof ProviderError && !error.retriable && !isDeleting(this.#draft.stored)) {
      this.#shared.failures.addForGood(uid, generation);
      await this.#draft.write({ phase: "Failed", failures: 1, nextRetryTime: undefined }, { type: "Ready", status: "False", reason, message, observedGeneration: generation });
      return settled;
    }
    const retryMs = this.#shared.failures.add(uid, generation);
    await this.#draft.write(
      { phase: isDeleting(this.#draft.stored) ? "Deleting" : "Failed", failures: this.#shared.failures.count(uid), nextRetryTime: timestamp(this.#parts.clock.now() + retryMs) },
      { type: "Ready", status: "False", reason, message },
    );
    return requeue(retryMs);
  }

  /** Somebody took a port between our choice and the engine's bind, or while it did not run. */
  async #movePorts(provider: Provider, instance: Instance | undefined, why: string, signal: AbortSignal): Promise<void> {
    const id = this.#draft.instanceId;
    const published = (this.#draft.stored.status?.ports ?? []).filter(({ via }) => via === "Engine");
    const named = published.filter(({ nodePort }) => why.includes(String(nodePort)));
    let stolen = named.length > 0 ? named : published;
    if (instance === undefined || instance.state === "created") {
      // Nothing has run yet, so nothing is lost by making it anew with other ports.
      await provider.destroy(id, { volumes: false }, signal);
    } else if (provider.withdraw !== undefined && instance.state === "stopped") {
      // Those that the manifest asks for are waited for.
      stolen = named.filter(({ nodePort }) => !this.#draft.stored.spec.ports.some((each) => each.nodePort === nodePort));
      if (stolen.length === 0) return;
      await provider.withdraw(id, stolen.map(({ nodePort }) => nodePort), signal);
    } else return;
    this.#parts.instances.forget(id);
    await forgetStolen(this.#parts, this.#draft, ({ port }) => (stolen.some((each) => each.port === port) ? why : undefined));
  }
}

/** The outcome, and another look after so many milliseconds at the latest. */
function sooner(outcome: Outcome, afterMs: number | undefined): Outcome {
  if (afterMs === undefined) return outcome;
  return requeue(outcome.kind === "requeue" ? Math.min(outcome.afterMs, afterMs) : afterMs);
}

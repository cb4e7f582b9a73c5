import { timestamp } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import type { Workspace, WorkspacePort } from "../../src/api/workspace.ts";
import { ProviderError, type Instance, type Provider } from "../../src/providers/provider.ts";
import { requeue, settled, type Outcome } from "../../src/runtime/reconciler.ts";
import type { Machine } from "../machines.ts";
import { whyUnknown } from "../node/why-unknown.ts";
import { carryOut, finish, interrupted } from "./carry-out.ts";
import { WorkspaceDraft } from "./draft.ts";
import type { Failures } from "./failures.ts";
import { keepPorts } from "./keep-ports.ts";
import { observeInstance } from "./observe.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import { place } from "./place.ts";
import { planWorkspace, workspaceFinalizer, type WorkspacePlan } from "./plan.ts";

/** A pass goes from nothing to running: create, start, and the look that finds it running. */
const looksMax = 6;
/** An engine that did not answer is asked again this often: a refused connection costs next to nothing, and people wait for it. */
const unknownRetryMs = 3000;

/** One reconcile of one Workspace. */
export class WorkspacePass {
  readonly #parts: WorkspaceControllerParts;
  readonly #failures: Failures;
  readonly #draft: WorkspaceDraft;

  constructor(parts: WorkspaceControllerParts, workspace: Workspace, failures: Failures) {
    this.#parts = parts;
    this.#draft = new WorkspaceDraft(parts, workspace);
    this.#failures = failures;
  }

  async run(signal: AbortSignal): Promise<Outcome> {
    const workspace = this.#draft.stored;
    const held = (workspace.metadata.finalizers ?? []).includes(workspaceFinalizer);
    if (isDeleting(workspace) && !held) return settled;
    if (!held) await this.#draft.adopt();
    if (this.#draft.stored.status?.nodeName === undefined) {
      if (isDeleting(workspace)) {
        await finish(this.#parts, this.#draft);
        return settled;
      }
      if (!(await place(this.#parts, this.#draft))) return settled;
    }
    const node = this.#parts.nodes.get({ name: this.#draft.stored.status!.nodeName! });
    const machine = node === undefined ? undefined : this.#parts.machines.of(node);
    const provider = machine?.provider(workspace.spec.provider);
    if (node === undefined || machine === undefined || provider === undefined) {
      const message = node === undefined ? `Node "${this.#draft.stored.status!.nodeName}" does not exist; what runs there is left alone` : `this version of vendetta has no provider ${workspace.spec.provider}`;
      await this.#draft.write({ phase: "Unknown" }, { type: "Ready", status: "Unknown", reason: node === undefined ? "NodeNotFound" : "ProviderNotSupported", message });
      return settled;
    }
    const unknown = whyUnknown(node);
    if (unknown !== undefined) {
      const waits = isDeleting(workspace) ? "; its removal waits for that" : "";
      await this.#draft.write({ phase: "Unknown" }, { type: "Ready", status: "Unknown", reason: "NodeUnknown", message: `${unknown}${waits}` });
      return settled;
    }
    return this.#converge(node, machine, provider, signal);
  }

  async #converge(node: Node, machine: Machine, provider: Provider, signal: AbortSignal): Promise<Outcome> {
    let plan: WorkspacePlan | undefined;
    let made = false;
    for (let look = 0; look < looksMax; look++) {
      const observation = await observeInstance(this.#parts, this.#draft, machine, provider, signal);
      if (observation === "silent") return requeue(unknownRetryMs);
      const instance = observation.instance.kind === "known" ? observation.instance.instance : undefined;
      if (observation.instance.kind === "known" && !isDeleting(this.#draft.stored)) {
        const conflict = await keepPorts(this.#parts, this.#draft, node, machine, provider, instance);
        if (conflict !== undefined) return this.#failed(new ProviderError("PortConflict", conflict, true), instance, provider, signal);
      }
      if (made && instance !== undefined && instance.specHash !== observation.specHash) {
        // Making it anew at once would go on for ever.
        return this.#failed(new ProviderError("SpecNotKept", `${instance.id} was made a moment ago, and the engine tells of another spec than it was given`, true), instance, provider, signal);
      }
      plan = planWorkspace(this.#draft.stored, observation);
      // On record before anything is done: a crash from here on finds the world no stranger than the status says.
      await this.#draft.write(plan.status, plan.condition);
      try {
        for (const step of plan.steps) {
          if (await carryOut(this.#parts, this.#draft, step, provider, signal)) return settled;
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
    this.#failures.clear(this.#draft.stored.metadata.uid);
    if (plan?.lookAgain) return requeue(1000);
    return plan?.afterMs === undefined ? settled : requeue(plan.afterMs);
  }

  /** The step failed: said in the status and an event, and tried again ever more slowly. */
  async #failed(error: unknown, instance: Instance | undefined, provider: Provider, signal: AbortSignal): Promise<Outcome> {
    const { uid, generation } = this.#draft.stored.metadata;
    const reason = error instanceof ProviderError ? error.reason : "Failed";
    const message = messageOf(error);
    if (reason === "PortInUse" && (instance === undefined || instance.state === "created")) await this.#movePorts(provider, signal);
    const retryMs = this.#failures.add(uid, generation);
    this.#parts.recorder.event(this.#draft.stored, "Warning", reason, message);
    await this.#draft.write(
      { phase: isDeleting(this.#draft.stored) ? "Deleting" : "Failed", failures: this.#failures.count(uid), nextRetryTime: timestamp(this.#parts.clock.now() + retryMs) },
      { type: "Ready", status: "False", reason, message },
    );
    return requeue(retryMs);
  }

  /** Somebody took a port between our choice and the engine's bind. Nothing has run yet, so nothing is lost by making it anew with other ports. */
  async #movePorts(provider: Provider, signal: AbortSignal): Promise<void> {
    const id = this.#draft.instanceId;
    await provider.destroy(id, { volumes: false }, signal);
    this.#parts.instances.forget(id);
    await this.#draft.write({ ports: (this.#draft.stored.status?.ports ?? []).filter((each) => each.via !== "Engine").map((each) => ({ ...each })) as WorkspacePort[] });
  }
}

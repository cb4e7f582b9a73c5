import { timestamp } from "../../src/base/clock.ts";
import { setConditions, type ConditionInput } from "../../src/api/conditions.ts";
import { isNotFound } from "../../src/api/status-error.ts";
import type { Workspace, WorkspaceStatus } from "../../src/api/workspace.ts";
import { instanceId } from "../../src/providers/provider.ts";
import { fingerprint } from "../fingerprint.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import { workspaceFinalizer } from "./plan.ts";

/** The Workspace that one pass works on. Each write resolves when the loop's cache has seen it (INV-9). @throws StatusError Conflict when somebody wrote in between */
export class WorkspaceDraft {
  readonly #parts: Pick<WorkspaceControllerParts, "cluster" | "store" | "clock">;
  #stored: Workspace;

  constructor(parts: Pick<WorkspaceControllerParts, "cluster" | "store" | "clock">, workspace: Workspace) {
    this.#parts = parts;
    this.#stored = workspace;
  }

  /** As last written to the store. */
  get stored(): Workspace {
    return this.#stored;
  }

  /** The engine's name of its instance, wherever it is. */
  get instanceId(): string {
    return instanceId({ cluster: this.#parts.cluster, uid: this.#stored.metadata.uid });
  }

  /** Has it wait for us when it is deleted. */
  async adopt(): Promise<void> {
    const { metadata } = this.#stored;
    this.#stored = await this.#parts.store.update("Workspace", { ...this.#stored, metadata: { ...metadata, finalizers: [...(metadata.finalizers ?? []), workspaceFinalizer] } });
  }

  /** Lets it go. */
  async letGo(): Promise<void> {
    const { metadata } = this.#stored;
    try {
      await this.#parts.store.update("Workspace", { ...this.#stored, metadata: { ...metadata, finalizers: (metadata.finalizers ?? []).filter((each) => each !== workspaceFinalizer) } });
    } catch (error) {
      // INV-8: gone is what was asked for.
      if (!isNotFound(error)) throw error;
    }
  }

  /** Merges into the status, undefined taking a field away; writes only what differs. */
  async write(fields: Partial<WorkspaceStatus>, ...conditions: readonly ConditionInput[]): Promise<void> {
    const old = this.#stored.status ?? {};
    const merged = { ...old, ...fields, conditions: [...setConditions(old.conditions, timestamp(this.#parts.clock.now()), ...conditions)] };
    const status = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as WorkspaceStatus;
    if (fingerprint(status) === fingerprint(this.#stored.status)) return;
    this.#stored = await this.#parts.store.updateStatus("Workspace", { ...this.#stored, status });
  }
}

import { timeoutSignal, timestamp } from "../../src/base/clock.ts";
import type { SnapshotStatus } from "../../src/api/workspace.ts";
import { ProviderError, type Provider } from "../../src/providers/provider.ts";
import type { WorkspaceDraft } from "./draft.ts";
import type { WorkspaceControllerParts } from "./parts.ts";

/** A disk is copied. */
const copyMsMax = 15 * 60_000;

/** That it failed is on record and an event, and no trouble of the instance: that runs on as it did. */
export async function takeSnapshot({ clock, recorder }: WorkspaceControllerParts, draft: WorkspaceDraft, name: string, provider: Provider, signal: AbortSignal): Promise<void> {
  const id = draft.instanceId;
  try {
    using bound = timeoutSignal(clock, copyMsMax, `taking snapshot ${name} of ${id}`, signal);
    await provider.snapshots?.take(id, name, bound.signal);
    recorder.event(draft.stored, "Normal", "SnapshotTaken", `took snapshot ${name} of ${id}`);
  } catch (error) {
    // What cannot be asked may have done it: the next look tells.
    if (!(error instanceof ProviderError) || error.reason === "EngineUnreachable") throw error;
    recorder.event(draft.stored, "Warning", error.reason, error.message);
    const failed: SnapshotStatus = { name, lastTryTime: timestamp(clock.now()), message: error.message };
    await draft.write({ snapshots: (draft.stored.status?.snapshots ?? []).map((each) => (each.name === name ? failed : { ...each })) });
  }
}

/** On record before it is started: cut off in between, it is put back once more, and nobody has worked in it. */
export async function restore({ clock, recorder, supervisors, instances }: WorkspaceControllerParts, draft: WorkspaceDraft, snapshot: string, provider: Provider, signal: AbortSignal): Promise<void> {
  const id = draft.instanceId;
  supervisors.release(id);
  using bound = timeoutSignal(clock, copyMsMax, `putting ${id} back to snapshot ${snapshot}`, signal);
  await provider.snapshots?.restore(id, snapshot, bound.signal);
  instances.forget(id);
  await draft.write({ restored: { snapshot, request: draft.stored.spec.restore?.request ?? 1, time: timestamp(clock.now()) } });
  recorder.event(draft.stored, "Normal", "Restored", `put the disk of ${id} back to snapshot ${snapshot}`);
}

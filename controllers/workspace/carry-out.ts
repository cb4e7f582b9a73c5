import { unreachable } from "../../src/base/assert.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { instanceId, type Progress, type Provider } from "../../src/providers/provider.ts";
import { unlessUnwanted } from "../../src/runtime/unless-unwanted.ts";
import { restore, takeSnapshot } from "./carry-out-snapshots.ts";
import type { WorkspaceDraft } from "./draft.ts";
import { instanceSpec, specHashOf } from "./instance-spec.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import type { Placer } from "./place.ts";
import type { WorkspaceStep } from "./workspace-plan.ts";

/** How often creation's progress may become a status write. */
const progressIntervalMs = 1000;

/** True: this pass is over, as the Workspace is gone or on another Node. */
export async function carryOut(parts: WorkspaceControllerParts, placer: Placer, draft: WorkspaceDraft, step: WorkspaceStep, provider: Provider, signal: AbortSignal): Promise<boolean> {
  const { recorder, supervisors, instances } = parts;
  const id = draft.instanceId;
  switch (step.do) {
    case "announce":
      recorder.event(draft.stored, step.type, step.reason, step.message);
      return false;
    case "create":
      await create(parts, draft, provider, signal);
      recorder.event(draft.stored, "Normal", "Created", `made ${id}${draft.stored.spec.image === undefined ? "" : ` from ${draft.stored.spec.image}`}`);
      return false;
    case "start":
      await unlessNow(parts, draft, isAnother(draft.stored, provider), signal, (wanted) => provider.start(id, wanted));
      recorder.event(draft.stored, "Normal", "Started", `started ${id}`);
      return false;
    case "stop":
      supervisors.release(id);
      await provider.stop(id, draft.stored.spec.terminationGracePeriodSeconds, signal);
      recorder.event(draft.stored, "Normal", "Stopped", `stopped ${id}`);
      return false;
    case "destroy":
      supervisors.release(id);
      await provider.destroy(id, { volumes: step.volumes }, signal);
      instances.forget(id);
      recorder.event(draft.stored, "Normal", "Removed", `removed ${id}${step.volumes ? " and its volumes" : ""}`);
      return false;
    case "move":
      // Nothing fits any more: the next look finds that out, too.
      if (await placer.move(draft, step.why)) leave(parts, draft);
      return true;
    case "growDisks":
      await provider.growDisks?.(id, step.sizes, signal);
      instances.forget(id);
      recorder.event(draft.stored, "Normal", "DiskGrown", `made ${step.what} of ${id} larger; partitions and file systems inside are the guest's to grow`);
      return false;
    case "takeSnapshot":
      await takeSnapshot(parts, draft, step.name, provider, signal);
      return false;
    case "removeSnapshot":
      await provider.snapshots?.remove(id, step.name, signal);
      recorder.event(draft.stored, "Normal", "SnapshotRemoved", `removed snapshot ${step.name} of ${id}`);
      return false;
    case "restore":
      await restore(parts, draft, step.snapshot, provider, signal);
      return false;
    case "finish":
      await finish(parts, draft);
      return true;
    default:
      return unreachable(step);
  }
}

/** A machine may take minutes until it can be worked in: a change of its ports, say, is no reason to begin anew, another image is. */
function isAnother(started: Workspace, provider: Provider): (now: Workspace) => boolean {
  const specHash = specHashOf(started, provider);
  return (now) => isDeleting(now) || now.spec.state === "Stopped" || specHashOf(now, provider) !== specHash;
}

/** Creation may take minutes (an image): it is given up at once when the Workspace is changed or deleted meanwhile. */
async function create(parts: WorkspaceControllerParts, draft: WorkspaceDraft, provider: Provider, signal: AbortSignal): Promise<void> {
  const { clock, cluster, recorder } = parts;
  const started = draft.stored;
  let toldAt = clock.monotonic();
  let telling: Promise<void> = Promise.resolve();
  const progress: Progress = (message, milestone) => {
    if (milestone !== undefined) recorder.event(started, "Normal", milestone, message);
    if (milestone === undefined && clock.monotonic() - toldAt < progressIntervalMs) return;
    toldAt = clock.monotonic();
    // Progress is only told. A write that fails here means that the Workspace changed, which the interrupt sees as well.
    telling = telling.then(() => draft.write({}, { type: "Ready", status: "False", reason: "Creating", message })).catch(() => {});
  };
  try {
    const isChanged = (now: Workspace) => now.metadata.generation > started.metadata.generation;
    await unlessNow(parts, draft, isChanged, signal, (wanted) => provider.create(instanceSpec(started, cluster, started.status?.ports ?? [], provider), progress, wanted));
  } finally {
    await telling;
  }
}

/** Takes a long step, and gives it up once the Workspace is gone or is such that nobody wants it any more. @throws interrupted */
async function unlessNow({ clock, workspaces }: WorkspaceControllerParts, { stored }: WorkspaceDraft, isUnwanted: (now: Workspace) => boolean, signal: AbortSignal, act: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const isGoneOrUnwanted = () => {
    const now = workspaces.get(stored.metadata);
    return now === undefined || isUnwanted(now);
  };
  await unlessUnwanted(clock, isGoneOrUnwanted, signal, act);
}

/** The Workspace is gone from everywhere: lets it go. */
export async function finish(parts: WorkspaceControllerParts, draft: WorkspaceDraft): Promise<void> {
  await release(parts, draft.stored.metadata.uid);
  await draft.letGo();
}

/** The Workspace is on another Node from now on: nothing that is held or remembered of its instance is true there. Its forwards lead to wherever it is. */
export function leave({ supervisors, instances }: WorkspaceControllerParts, draft: WorkspaceDraft): void {
  supervisors.release(draft.instanceId);
  instances.forget(draft.instanceId);
}

/** Gives up what the server itself holds for a Workspace. */
export async function release(parts: WorkspaceControllerParts, uid: string): Promise<void> {
  const id = instanceId({ cluster: parts.cluster, uid });
  await parts.forwards.sync(uid, []);
  parts.supervisors.release(id);
  parts.instances.forget(id);
}

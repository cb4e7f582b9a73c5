import { timeoutSignal } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { isTrue } from "../../src/api/conditions.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Node } from "../../src/api/node.ts";
import type { LeftBehind, Workspace } from "../../src/api/workspace.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { isSilence } from "../node/why-unknown.ts";
import type { WorkspaceDraft } from "./draft.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import { volumesNote } from "./place.ts";

/** The Node answers, and its engine has not done it yet. */
const retryMs = 10_000;
/** Beyond the instance's own grace. */
const removeTimeoutMs = 30_000;

/** What to do about something that was left on a Node. Pure. */
export function planLeftBehind(node: Node | undefined): "forget" | "wait" | "remove" {
  if (node === undefined) return "forget";
  return isTrue(node.status?.conditions, "Ready") ? "remove" : "wait";
}

/**
 * Removes what a Workspace left on Nodes that answer again, and then the record of it; forgets what is on Nodes that were forgotten.
 * Answers when to try again, in milliseconds; undefined: there is nothing left to do before a Node changes.
 */
export async function removeLeftBehind(parts: WorkspaceControllerParts, draft: WorkspaceDraft, signal: AbortSignal): Promise<number | undefined> {
  let again: number | undefined;
  for (const left of draft.stored.status?.leftBehind ?? []) {
    const node = parts.nodes.get({ name: left.nodeName });
    const plan = planLeftBehind(node);
    if (plan === "wait") continue;
    if (plan === "forget") parts.recorder.event(draft.stored, "Warning", "LeftBehindForgotten", `Node "${left.nodeName}" was forgotten; ${left.instanceId} may still be there`);
    else if (!(await remove(parts, draft, left, node!, signal))) {
      again = retryMs;
      continue;
    }
    const rest = (draft.stored.status?.leftBehind ?? []).filter((each) => each.nodeName !== left.nodeName);
    await draft.write({ leftBehind: rest.length === 0 ? undefined : rest.map((each) => ({ ...each })) });
  }
  return again;
}

/** False: not yet. */
async function remove(parts: WorkspaceControllerParts, draft: WorkspaceDraft, left: LeftBehind, node: Node, signal: AbortSignal): Promise<boolean> {
  const { stored } = draft;
  const machine = parts.machines.of(node);
  const provider = machine.provider(stored.spec.provider);
  if (provider === undefined) return false;
  using bound = timeoutSignal(parts.clock, stored.spec.terminationGracePeriodSeconds * 1000 + removeTimeoutMs, `removing ${left.instanceId} from Node "${left.nodeName}"`, signal);
  try {
    const wasThere = await removeInstance(provider, left.instanceId, stored, bound.signal);
    const note = isDeleting(stored) ? " and its volumes" : "";
    if (wasThere) parts.recorder.event(stored, "Normal", "LeftBehindRemoved", `Node "${left.nodeName}" answers again: removed ${left.instanceId}${note} there${isDeleting(stored) ? "" : volumesNote(draft, left.nodeName)}`);
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    if (!(await isSilence(error, machine, signal))) parts.recorder.event(stored, "Warning", "LeftBehindNotRemoved", `cannot remove ${left.instanceId} from Node "${left.nodeName}": ${messageOf(error)}`);
    return false;
  }
}

/** By the engine alone: what is remembered of instances is of the one that took its place. False: it was gone already. */
async function removeInstance(provider: Provider, id: string, workspace: Workspace, signal: AbortSignal): Promise<boolean> {
  const instance = await provider.inspect(id, signal);
  // Two Nodes of one engine: it is the one that took its own place.
  if (instance?.startId !== undefined && instance.startId === workspace.status?.startId) return false;
  if (instance?.state === "running") await provider.stop(id, workspace.spec.terminationGracePeriodSeconds, signal);
  const volumes = isDeleting(workspace);
  if (instance !== undefined || volumes) await provider.destroy(id, { volumes }, signal);
  return instance !== undefined;
}

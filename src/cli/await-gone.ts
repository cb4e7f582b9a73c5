import { findCondition } from "../api/conditions.ts";
import type { AnyObject } from "../api/registry.ts";
import type { Store } from "../store/store.ts";
import { awaitObjects, type AwaitTarget } from "./await-objects.ts";
import { resourceName } from "./kind-words.ts";
import { createProgress } from "./progress.ts";
import type { Session } from "./session.ts";
import { printable } from "./style.ts";
import { CliError } from "./world.ts";

export interface DeleteTarget extends AwaitTarget {
  /** Absent: whatever has the name now. */
  readonly uid?: string | undefined;
}

/**
 * Waits until all of them are gone, whose deletion has been asked for.
 * @throws CliError with how those are that are still there when the time is up; their deletion goes on
 */
export async function awaitGone(session: Session, store: Store, going: readonly DeleteTarget[], timeoutMs: number): Promise<void> {
  const uids = new Map(going.map((target) => [`${target.kind} ${target.namespace ?? ""}/${target.name}`, target.uid]));
  using progress = createProgress(session);
  let slow = false;
  const states = await awaitObjects(store, going, {
    clock: session.world.clock,
    timeoutMs,
    signal: session.signal,
    judge: (object, target) => goneVerdict(object, uids.get(`${target.kind} ${target.namespace ?? ""}/${target.name}`)),
    onChange(now) {
      // What goes at once needs no words; a machine that does not answer is waited for without an end in sight.
      slow ||= now.some(({ verdict }) => !verdict.done && (session.world.stderr.isTTY === true || verdict.state === "Unknown"));
      if (slow) progress.update(now);
    },
  });
  const left = states.filter((each) => !each.verdict.done);
  if (left.length === 0) return;
  progress[Symbol.dispose]();
  const lines = left.map(({ target, verdict }) => `  ${resourceName(target.kind)}/${target.name}: ${verdict.state}${verdict.message === "" ? "" : `: ${printable(verdict.message)}`}`);
  throw new CliError(`${left.length} of ${going.length} are still there after ${Math.round(timeoutMs / 100) / 10} s:\n${lines.join("\n")}\nTheir deletion goes on; 'vendetta describe ${left[0]!.target.kind.toLowerCase()} ${left[0]!.target.name}' tells more`);
}

function goneVerdict(object: AnyObject | undefined, uid: string | undefined) {
  if (object === undefined || (uid !== undefined && object.metadata.uid !== uid)) return { done: true, state: "Deleted", message: "" };
  const { conditions, phase } = ("status" in object ? object.status : undefined) as { conditions?: Parameters<typeof findCondition>[0]; phase?: string } ?? {};
  return { done: false, state: phase ?? "Deleting", message: findCondition(conditions, "Ready")?.message ?? "" };
}

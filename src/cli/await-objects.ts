import { TimeoutError, timeoutSignal, type Clock } from "../base/clock.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { AnyObject, KindName } from "../api/registry.ts";
import { isGone } from "../api/status-error.ts";
import type { Store, WatchEvent } from "../store/store.ts";
import type { Verdict } from "./readiness.ts";

export interface AwaitTarget extends NamespacedName {
  readonly kind: KindName;
}

export interface AwaitedObject {
  readonly target: AwaitTarget;
  readonly verdict: Verdict;
}

export interface AwaitOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Pure. Called with undefined when the object does not exist. */
  readonly judge: (object: AnyObject | undefined, target: AwaitTarget) => Verdict;
  /** After the first look at everything, and after each change. */
  readonly onChange?: ((states: readonly AwaitedObject[]) => void) | undefined;
}

/**
 * Watches until every target is judged done, all at the same time, one is judged final, or the time is up. Answers where each one stands.
 * @throws the signal's reason; StatusError when the server goes
 */
export async function awaitObjects(store: Store, targets: readonly AwaitTarget[], { clock, timeoutMs, signal, judge, onChange }: AwaitOptions): Promise<readonly AwaitedObject[]> {
  const verdicts = targets.map((target) => judge(undefined, target));
  const states = () => targets.map((target, i): AwaitedObject => ({ target, verdict: verdicts[i]! }));
  const groups = new Map<string, { readonly target: AwaitTarget; readonly index: number }[]>();
  for (const [index, target] of targets.entries()) {
    const key = `${target.kind} ${target.namespace ?? ""}`;
    groups.set(key, [...(groups.get(key) ?? []), { target, index }]);
  }
  if (groups.size === 0) return [];
  const finished = new AbortController();
  using deadline = timeoutSignal(clock, timeoutMs, "The wait", AbortSignal.any([signal, finished.signal]));
  let unseen = groups.size;

  const follow = async (members: readonly { readonly target: AwaitTarget; readonly index: number }[]) => {
    const { kind, namespace } = members[0]!.target;
    // One object is asked for by name: a namespace may hold thousands.
    const fields = members.length === 1 ? [{ path: "metadata.name", equal: true, value: members[0]!.target.name }] : undefined;
    const set = (object: AnyObject | undefined, name: string) => {
      for (const { target, index } of members) if (target.name === name) verdicts[index] = judge(object, target);
    };
    const report = () => {
      if (unseen > 0 || finished.signal.aborted) return;
      onChange?.(states());
      if (verdicts.every((verdict) => verdict.done) || verdicts.some((verdict) => verdict.final === true)) finished.abort(new Error("done"));
    };
    let first = true;
    while (!deadline.signal.aborted) {
      const list = await store.list(kind, { namespace, fields });
      const found = new Map(list.items.map((object) => [object.metadata.name, object as AnyObject]));
      for (const { target } of members) set(found.get(target.name), target.name);
      if (first) unseen--;
      first = false;
      report();
      try {
        for await (const event of store.watch(kind, { namespace, fields, from: list.resourceVersion }, deadline.signal) as AsyncIterable<WatchEvent<AnyObject>>) {
          if (event.type === "BOOKMARK") continue;
          set(event.type === "DELETED" ? undefined : event.object, event.object.metadata.name);
          report();
        }
      } catch (error) {
        if (!isGone(error) && !deadline.signal.aborted) throw error;
      }
    }
  };

  const runs = [...groups.values()].map(async (members) => {
    try {
      await follow(members);
    } catch (error) {
      finished.abort(error);
      throw error;
    }
  });
  const results = await Promise.allSettled(runs);
  signal.throwIfAborted();
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined && !(failed.reason instanceof TimeoutError)) throw failed.reason;
  return states();
}

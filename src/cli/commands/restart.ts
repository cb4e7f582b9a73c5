import { restartedAtAnnotation } from "../../api/annotations.ts";
import { findCondition } from "../../api/conditions.ts";
import type { Service } from "../../api/service.ts";
import { timestampWithMs } from "../../base/clock.ts";
import { durationArgument } from "../duration-argument.ts";
import { namedService, resourceName } from "../kind-words.ts";
import { orInstead } from "../not-found.ts";
import { settled } from "../readiness.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";

export interface RestartOptions {
  readonly wait?: boolean | undefined;
  readonly timeout?: string | undefined;
}

/** Asks for a restart by a new value of an annotation, as `kubectl rollout restart` does: the Service's loop does the rest. */
export async function restart(session: Session, words: readonly string[], { wait, timeout = "60s" }: RestartOptions): Promise<void> {
  const timeoutMs = durationArgument(timeout);
  const targets = words.map((word) => ({ kind: "Service" as const, namespace: session.namespace, name: namedService(word, "can be restarted") }));
  const store = await session.connect();
  // All are there before one is touched.
  const found = await orInstead(session, (_workspace, services, room) => (services.length === 0 ? "there is nothing to restart" : `vendetta restart${room} ${services.join(" ")}`), () => Promise.all(targets.map((target) => store.get("Service", target))));
  const silent = new Map(found.flatMap(({ metadata, status }) => {
    const ready = findCondition(status?.conditions, "Ready");
    return ready?.status === "Unknown" ? [[metadata.name, ready.message] as const] : [];
  }));
  const before = new Map(found.map((service) => [service.metadata.name, runOf(service)]));
  const patch = { metadata: { annotations: { [restartedAtAnnotation]: timestampWithMs(session.world.clock.now()) } } };
  for (const target of targets) {
    await store.patch("Service", target, { type: "merge", patch });
    const why = silent.get(target.name);
    session.print(`${resourceName("Service")}/${target.name} ${why === undefined ? "restarted" : "will be restarted"}`);
    if (why !== undefined) session.tell(`Nothing is known of Service "${target.name}" now, and it is restarted when that changes: ${printable(why)}`);
  }
  if (wait !== true) return;
  await waitUntilSettled(session, store, targets, timeoutMs, (object, target) => {
    const verdict = settled(object);
    const same = object?.kind === "Service" && runOf(object) !== undefined && runOf(object) === before.get(target.name);
    return same && verdict.done ? { done: false, state: verdict.state, message: "has not been restarted yet" } : verdict;
  });
}

/** Which of its runs a status speaks of. */
function runOf({ status }: Service): string | undefined {
  return status?.runNumber === undefined ? undefined : `${status.instanceStartId} ${status.runNumber}`;
}

import { restartedAtAnnotation } from "../../api/annotations.ts";
import { findCondition } from "../../api/conditions.ts";
import type { Service } from "../../api/service.ts";
import { orNone } from "../../api/status-error.ts";
import { timestampWithMs } from "../../base/clock.ts";
import type { Store } from "../../store/store.ts";
import { durationArgument } from "../duration-argument.ts";
import { namedService, resourceName } from "../kind-words.ts";
import { orInstead } from "../not-found.ts";
import { settled } from "../readiness.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";
import { CliError } from "../world.ts";

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
  const later = new Map(await Promise.all(found.map(async (service) => [service.metadata.name, await whyLater(store, service)] as const)));
  const before = new Map(found.map((service) => [service.metadata.name, runOf(service)]));
  const patch = { metadata: { annotations: { [restartedAtAnnotation]: timestampWithMs(session.world.clock.now()) } } };
  for (const target of targets) {
    await store.patch("Service", target, { type: "merge", patch });
    const why = later.get(target.name);
    session.print(`${resourceName("Service")}/${target.name} ${why?.verb ?? "restarted"}`);
    if (why !== undefined) session.tell(printable(why.message));
  }
  if (wait !== true) return;
  const stopped = targets.filter(({ name }) => later.get(name)?.until === "workspace up");
  if (stopped.length > 0) throw new CliError(`not waited for: ${stopped.map(({ name }) => `Service "${name}"`).join(", ")} ${stopped.length === 1 ? "is" : "are"} started only when somebody starts the Workspace`);
  await waitUntilSettled(session, store, targets, timeoutMs, (object, target) => {
    const verdict = settled(object);
    const same = object?.kind === "Service" && runOf(object) !== undefined && runOf(object) === before.get(target.name);
    return same && verdict.done ? { done: false, state: verdict.state, message: "has not been restarted yet" } : verdict;
  });
}

interface Later {
  readonly verb: "will be restarted" | "will be started";
  readonly message: string;
  /** What it is waited for. */
  readonly until: "workspace up" | "the world changes";
}

/** Why nothing is restarted now, and when it will be; undefined: it is at once. */
async function whyLater(store: Pick<Store, "get">, { metadata: { name, namespace }, spec, status }: Service): Promise<Later | undefined> {
  const workspace = await orNone(store.get("Workspace", { namespace, name: spec.workspace }));
  const ready = findCondition(status?.conditions, "Ready");
  if (workspace?.spec.state === "Stopped") {
    const room = namespace === undefined || namespace === "default" ? "" : ` -n ${namespace}`;
    return { verb: "will be started", message: `Workspace "${spec.workspace}" is stopped, so Service "${name}" does not run; it is started with it: 'vendetta workspace up ${spec.workspace}${room}'`, until: "workspace up" };
  }
  if (ready?.status === "Unknown") return { verb: "will be restarted", message: `Nothing is known of Service "${name}" now, and it is restarted when that changes: ${ready.message}`, until: "the world changes" };
  if (!idlePhases.includes(status?.phase)) return undefined;
  return { verb: "will be started", message: `Service "${name}" does not run now, and is started when that changes: ${ready?.message ?? `it is ${status?.phase}`}`, until: "the world changes" };
}

/** Nothing of it runs, and something else must happen before it does. */
const idlePhases: readonly NonNullable<Service["status"]>["phase"][] = ["Pending", "Waiting", "Stopped"];

/** Which of its runs a status speaks of. */
function runOf({ status }: Service): string | undefined {
  return status?.runNumber === undefined ? undefined : `${status.instanceStartId} ${status.runNumber}`;
}

import { keyOf, type Key } from "../../src/base/keys.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { requeue, settled, type Outcome, type Reconciler } from "../../src/runtime/reconciler.ts";
import { carryOut } from "./carry-out.ts";
import { isOver, locate } from "./locate.ts";
import { observeService } from "./observe.ts";
import type { ServiceControllerParts } from "./parts.ts";
import { planService } from "./plan.ts";
import { withFailure, withStatus, writeStatus } from "./status-write.ts";

/** A pass that starts something looks at it at once; this many looks a pass, so that a fast crash cannot keep a worker. */
const looksMax = 3;
const silentRetryMs = 3000;
const lookSoonMs = 50;

/** Indexes the Service informer must keep for this controller. */
export const serviceIndexes: Readonly<Record<string, (service: Service) => readonly string[]>> = {
  workspace: (service) => [`${service.metadata.namespace}/${service.spec.workspace}`],
  dependency: (service) => service.spec.dependsOn.map(({ name }) => `${service.metadata.namespace}/${name}`),
  uid: (service) => [service.metadata.uid],
};

/** Keeps every Service's command as wished: see plan.ts for what is decided, its neighbours look and act. */
export function createServiceReconciler(parts: ServiceControllerParts): Reconciler {
  const { services } = parts;
  const watchedUid = new Map<Key, string>();

  return {
    kind: "Service",
    name: "service-controller",
    watches: [
      {
        kind: "Service",
        keys: (service: Service): readonly Key[] => [
          keyOf(service),
          ...services.byIndex("dependency", keyOf(service)).map(keyOf),
          ...service.spec.dependsOn.map(({ name }) => keyOf({ namespace: service.metadata.namespace, name })),
        ],
      },
      { kind: "Workspace", keys: (workspace: Workspace): readonly Key[] => services.byIndex("workspace", keyOf(workspace)).map(keyOf) },
    ],
    lane(key) {
      const service = services.byKey(key);
      return service && parts.workspaces.get({ namespace: service.metadata.namespace, name: service.spec.workspace })?.status?.nodeName;
    },
    async reconcile(key, signal): Promise<Outcome> {
      const service = services.byKey(key);
      const uid = watchedUid.get(key);
      if (uid !== undefined && uid !== service?.metadata.uid) {
        parts.prober.unwatch(uid);
        watchedUid.delete(key);
      }
      if (service === undefined) return settled;
      watchedUid.set(key, service.metadata.uid);
      return reconcileService(parts, service, signal);
    },
  };
}

async function reconcileService(parts: ServiceControllerParts, stored: Service, signal: AbortSignal): Promise<Outcome> {
  let draft = stored;
  for (let look = 1; ; look++) {
    const place = await locate(parts, draft, signal);
    if (place.runs.kind === "silent") return requeue(silentRetryMs);
    const seen = observeService(parts, draft, place);
    const plan = planService(draft, seen);
    const acted = await carryOut(parts, draft, place, plan, signal).catch(async (error: unknown) => {
      if (signal.aborted) throw error;
      // The instance was stopped under it, which is no failure of the step: what is true now is to be looked at.
      if (place.workspace !== undefined && isOver(parts, place.workspace)) return "over" as const;
      await writeStatus(parts, stored, withFailure(draft, plan, error, parts.clock.now()));
      throw error;
    });
    if (acted === "over") return requeue(lookSoonMs);
    if (acted.gone) return settled;
    draft = withStatus(acted.service, plan, acted.facts, parts.clock.now());
    if (!acted.lookAgain || look === looksMax) {
      await writeStatus(parts, stored, draft);
      if (acted.lookAgain) return requeue(lookSoonMs);
      return plan.afterMs === undefined ? settled : requeue(plan.afterMs);
    }
  }
}

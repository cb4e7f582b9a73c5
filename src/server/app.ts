import { Hono } from "hono";
import { timeoutSignal, TimeoutError, type Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { kindNames, kinds } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import { resourceOf } from "./api-resource.ts";
import type { AppEnv, RequestContext } from "./app-env.ts";
import { addDiscovery } from "./discovery.ts";
import { addHealth, type HealthCheck } from "./health.ts";
import { addMetrics, metricsResources } from "./metrics-api.ts";
import { addPodLog } from "./pod-log.ts";
import { defaultHosts, guardRequest } from "./request-guard.ts";
import { addResources } from "./resources.ts";
import { addServiceLog, type ServiceLogs } from "./service-log.ts";
import { addUpgradePaths } from "./upgrade.ts";
import type { UsageSource } from "./usage.ts";
import { statusResponse, unknownPath } from "./status-response.ts";

/** An answer is begun within this time; what streams after it has its own end. */
const answerMsMax = 60_000;

/** The API as a function. Never rejects: whatever goes wrong is a metav1.Status. */
export type App = (request: Request, context?: RequestContext) => Promise<Response>;

export interface AppOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** vendetta's own version, for /version. */
  readonly version: string;
  readonly health?: readonly HealthCheck[] | undefined;
  /** Absent: the log paths answer 404. */
  readonly logs?: ServiceLogs | undefined;
  /** Absent: the paths of metrics.k8s.io answer 404, and discovery does not tell of them. */
  readonly usage?: UsageSource | undefined;
  /** Host names it answers for, lower case, without port. */
  readonly hosts?: readonly string[] | undefined;
}

export function createApp({ store, clock, log, version, health = [], logs, usage, hosts = defaultHosts }: AppOptions): App {
  const app = new Hono<AppEnv>();
  app.onError((error) => statusResponse(error, log));
  app.notFound(() => statusResponse(unknownPath(), log));
  app.use(async (c, next) => {
    guardRequest(c.req.raw, hosts);
    await within(clock, answerMsMax, next());
  });
  addHealth(app, health);
  addDiscovery(app, version, [...kindNames.map((name) => resourceOf(kinds[name])), ...(usage === undefined ? [] : metricsResources)]);
  addUpgradePaths(app);
  addServiceLog(app, { store, clock, logs });
  addPodLog(app, { store, clock, logs });
  addMetrics(app, { store, usage });
  addResources(app, { store, clock, log });
  return async (request, context = {}) => await app.fetch(request, context);
}

async function within<T>(clock: Clock, timeoutMs: number, work: Promise<T>): Promise<T> {
  using deadline = timeoutSignal(clock, timeoutMs, "The request");
  const late = new Promise<never>((_, reject) => {
    deadline.signal.addEventListener("abort", () => {
      const { message } = deadline.signal.reason as TimeoutError;
      reject(new StatusError("Timeout", `${message}; whether it was carried out is not known`));
    });
  });
  return await Promise.race([work, late]);
}

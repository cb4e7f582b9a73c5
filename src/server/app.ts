import { Hono } from "hono";
import type { Registry } from "prom-client";
import { timeoutSignal, TimeoutError, type Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { kindNames, kinds } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import { mayAsk, unauthorized } from "./access.ts";
import { resourceOf } from "./api-resource.ts";
import type { AppEnv, RequestContext } from "./app-env.ts";
import { addClusterServices } from "./cluster-services.ts";
import { addCustomResourceDefinitions, crdResource } from "./crd-resource.ts";
import { compressLargeAnswers } from "./compression.ts";
import { addDiscovery } from "./discovery.ts";
import { createEventLines } from "./event-lines.ts";
import { addOpenApi } from "./openapi.ts";
import { addHealth, type HealthCheck } from "./health.ts";
import { serverLimits, type ServerLimits } from "./limits.ts";
import { addUsage, usageResources } from "./metrics-api.ts";
import { addPodLog } from "./pod-log.ts";
import { defaultHosts, guardRequest } from "./request-guard.ts";
import { addResources } from "./resources.ts";
import { addMetrics } from "./metrics.ts";
import { createRequestMetrics } from "./request-metrics.ts";
import { addReviews, reviewResources } from "./reviews.ts";
import { addRotation, type Rotate } from "./rotation.ts";
import { addServiceLog, type ServiceLogs } from "./service-log.ts";
import { addSourcePlan, type SourcePlans } from "./source-plan.ts";
import { withStreams } from "./stream-subresources.ts";
import { addUpgradePaths } from "./upgrade.ts";
import type { UsageSource } from "./usage.ts";
import { statusResponse, unknownPath } from "./status-response.ts";
import { administrator } from "./user.ts";
import { limitWatches } from "./watch-limit.ts";
import { addWorkspaceConsole, type WorkspaceConsole } from "./workspace-console.ts";

/** An answer is begun within this time; what streams after it has its own end. */
const answerMsMax = 60_000;

/** Who calls the function itself, not a listener, is this process. */
const inProcess: RequestContext = { user: administrator };

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
  /** Absent: the console paths answer 404. */
  readonly showConsole?: WorkspaceConsole | undefined;
  /** Absent: the plan paths answer 404. */
  readonly plans?: SourcePlans | undefined;
  /** Where to count requests and what is stored; absent: nothing is counted, and /metrics is 404. */
  readonly metrics?: Registry | undefined;
  /** Absent: the paths of metrics.k8s.io answer 404, and discovery does not tell of them. */
  readonly usage?: UsageSource | undefined;
  /** Host names it answers for, lower case, without port. */
  readonly hosts?: readonly string[] | undefined;
  /** Absent: the path of `rotatePath` answers 404. */
  readonly rotate?: Rotate | undefined;
  readonly limits?: ServerLimits | undefined;
}

export function createApp({ store, clock, log, version, health = [], logs, showConsole, plans, usage, metrics, rotate, hosts = defaultHosts, limits = serverLimits }: AppOptions): App {
  const app = new Hono<AppEnv>();
  app.onError((error) => statusResponse(error, log));
  app.notFound(() => statusResponse(unknownPath(), log));
  app.use(async (c, next) => {
    guardRequest(c.req.raw, hosts);
    if (!mayAsk(c.env.user, new URL(c.req.url).pathname)) throw unauthorized();
    await within(clock, answerMsMax, next());
  });
  app.use(limitWatches(limits), compressLargeAnswers());
  addHealth(app, health);
  const resources = [...kindNames.map((name) => withStreams(resourceOf(kinds[name]))), crdResource, ...reviewResources, ...(usage === undefined ? [] : usageResources)];
  addDiscovery(app, version, resources);
  addOpenApi(app, version, resources);
  addReviews(app, resources);
  addUpgradePaths(app);
  addServiceLog(app, { store, clock, logs });
  addWorkspaceConsole(app, { store, clock, showConsole });
  addSourcePlan(app, { store, clock, plans });
  addPodLog(app, { store, clock, logs });
  addUsage(app, { store, usage });
  addCustomResourceDefinitions(app, { store, clock });
  addClusterServices(app);
  const requests = metrics === undefined ? undefined : createRequestMetrics(metrics, resources);
  if (metrics !== undefined) addMetrics(app, metrics, store);
  addResources(app, { store, clock, log, lines: createEventLines(), watching: requests?.watching });
  if (rotate !== undefined) addRotation(app, rotate);
  if (requests === undefined) return async (request, context = inProcess) => await app.fetch(request, context);
  return async (request, context = inProcess) => {
    const begunMs = clock.monotonic();
    const response = await app.fetch(request, context);
    requests.answered(request, response.status, clock.monotonic() - begunMs);
    return response;
  };
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

import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { groupPath, kindPaths } from "../api/paths.ts";
import type { Pod } from "../api/pod.ts";
import { StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { AppEnv } from "./app-env.ts";
import { requestedContainer, type RequestedContainer } from "./pod-container.ts";
import { Query } from "./query.ts";
import { emptyLog, logResponse, type LogOptions, type ServiceLogs } from "./service-log.ts";
import { addWarnings, unknownPath } from "./status-response.ts";

export interface PodLogParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logs: ServiceLogs | undefined;
}

/**
 * `GET …/pods/:name/log`, plain text. Lines carry no time of their own: `timestamps` is answered without them, and a
 * `since` that falls into a run is answered with the whole run; both with a Warning header that says so.
 * Source: Kubernetes API reference, "read log of the specified Pod".
 */
export function addPodLog(app: Hono<AppEnv>, { store, clock, logs }: PodLogParts): void {
  app.get(`${groupPath(kindPaths.Pod)}/namespaces/:namespace/pods/:name/log`, async (c) => {
    if (logs === undefined) throw unknownPath();
    const query = new Query(c.req.url);
    const ref = { namespace: c.req.param("namespace"), name: c.req.param("name") };
    const pod = await store.get("Pod", ref);
    const container = requestedContainer(pod, query.text("container"));
    const limitBytes = query.count("limitBytes");
    if (limitBytes === 0) throw new StatusError("BadRequest", "Cannot read the query's limitBytes: must be greater than 0");
    const asked = { follow: query.flag("follow"), previous: query.flag("previous"), tailLines: query.count("tailLines") };
    const since = sinceMs(query, clock);
    const warnings = query.flag("timestamps") ? ["timestamps are not kept: lines are shown without them"] : [];

    // What the instance itself says is nobody's log.
    if (container.target.kind === "Workspace") return addWarnings(emptyLog(), warnings);
    const options = shownRun(pod, container, asked);
    const extent = since === undefined ? "whole" : extentSince(container, options, since);
    if (extent === "nothing") return addWarnings(emptyLog(), warnings);
    if (extent === "unknown") warnings.push("lines carry no time: the log since the start of the run is shown");
    const opened = await logResponse(logs, { namespace: ref.namespace, name: container.name }, { ...options, limitBytes }, clock, [c.req.raw.signal, c.env.signal]);
    return addWarnings(opened, warnings);
  });
}

function sinceMs(query: Query, clock: Clock): number | undefined {
  const seconds = query.count("sinceSeconds");
  const time = query.text("sinceTime");
  if (seconds !== undefined && time !== undefined) throw new StatusError("BadRequest", "at most one of `sinceTime` or `sinceSeconds` may be specified");
  if (seconds !== undefined) return clock.now() - seconds * 1000;
  if (time === undefined) return undefined;
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) throw new StatusError("BadRequest", `Cannot read the query's sinceTime: expected an RFC 3339 time, found ${JSON.stringify(time.slice(0, 100))}`);
  return ms;
}

/**
 * Which of our runs is meant. For Kubernetes "previous" is the last that ended: while none runs, that is our latest.
 * @throws StatusError BadRequest, in kubelet's words, when there is none
 */
function shownRun(pod: Pod, { name, status }: RequestedContainer, options: LogOptions): LogOptions {
  const { state, lastState, restartCount = 0 } = status ?? {};
  const ran = state?.running !== undefined || state?.terminated !== undefined || lastState?.terminated !== undefined;
  if (options.previous === true) {
    if (restartCount === 0 && lastState?.terminated === undefined) throw new StatusError("BadRequest", `previous terminated container "${name}" in pod "${pod.metadata.name}" not found`);
    return state?.waiting === undefined ? options : { ...options, previous: false, follow: false };
  }
  if (!ran && options.follow !== true) throw new StatusError("BadRequest", `container "${name}" in pod "${pod.metadata.name}" is waiting to start: ${state?.waiting?.reason ?? "not yet placed on a node"}`);
  return options;
}

/** How much of a run was written since then, as far as its beginning and end tell. */
function extentSince({ status }: RequestedContainer, { previous, follow }: LogOptions, ms: number): "whole" | "nothing" | "unknown" {
  const { state, lastState } = status ?? {};
  const ended = state?.running === undefined || previous === true ? (state?.terminated ?? lastState?.terminated) : undefined;
  if (ended?.finishedAt !== undefined && Date.parse(ended.finishedAt) < ms) return follow === true ? "unknown" : "nothing";
  const begun = previous === true ? ended?.startedAt : (state?.running?.startedAt ?? ended?.startedAt);
  return begun !== undefined && Date.parse(begun) >= ms ? "whole" : "unknown";
}

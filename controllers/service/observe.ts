import { assert } from "../../src/base/assert.ts";
import { keyOf } from "../../src/base/keys.ts";
import { restartedAtAnnotation } from "../../src/api/annotations.ts";
import { isDeleting } from "../../src/api/meta.ts";
import { portsOf, type Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { fingerprint } from "../fingerprint.ts";
import { crossingsOf, runEnvironment } from "./environment.ts";
import type { Place } from "./locate.ts";
import type { ServiceControllerParts } from "./parts.ts";
import { goingDown } from "./plan-down.ts";
import { settleMs } from "./restart-delay.ts";
import type { ServiceObservation } from "./service-observation.ts";
import type { Run, RunSpec } from "./supervisor.ts";

/** All that the plan of a Service is made from. */
export function observeService(parts: ServiceControllerParts, service: Service, place: Place): ServiceObservation & { readonly spec: RunSpec } {
  const { workspace } = place;
  const { namespace, uid } = service.metadata;
  const dependencies = new Map<string, Service>();
  for (const { name } of service.spec.dependsOn) {
    const found = parts.services.get({ namespace, name });
    if (found !== undefined && !isDeleting(found)) dependencies.set(name, found);
  }
  const { hash, spec, withoutAddress } = runSpec(parts, service);
  assert(place.runs.kind !== "silent", "what a silent machine runs is not planned for");
  const runs = place.runs.kind === "known" ? { kind: "known" as const, latest: place.runs.all.find((run) => run.service === uid) } : place.runs;
  return {
    workspace, runs, hash, spec, dependencies, withoutAddress, noWayTo: noWayTo(parts, service, workspace),
    health: health(parts, service, place, runs.kind === "known" ? runs.latest : undefined, spec),
    dependentsStopping: dependentsStopping(parts, service, place),
    now: parts.clock.now(),
  };
}

/** Dependencies elsewhere that nothing leads to yet, or any more, and why. */
function noWayTo({ crossings, ...parts }: ServiceControllerParts, service: Service, workspace: Workspace | undefined): ReadonlyMap<string, string> {
  const { nodeName } = workspace?.status ?? {};
  if (nodeName === undefined) return new Map();
  return new Map(crossingsOf(service, parts).flatMap((need) => {
    const state = crossings.state(nodeName, need.nodePort);
    return state.kind === "up" ? [] : [[need.service, state.message] as const];
  }));
}

/** What a start now would run. */
function runSpec(parts: ServiceControllerParts, service: Service): { readonly hash: string; readonly spec: RunSpec; readonly withoutAddress: readonly string[] } {
  const { command, workingDir } = service.spec;
  const { declared, all, withoutAddress } = runEnvironment(service, parts);
  const asked = service.metadata.annotations?.[restartedAtAnnotation];
  const hash = fingerprint({ command, workingDir, env: declared, ...(asked === undefined ? {} : { asked }) });
  return { hash, withoutAddress, spec: { service: service.metadata.uid, name: service.metadata.name, hash, command, workingDir, env: all } };
}

function health(parts: ServiceControllerParts, service: Service, place: Place, run: Run | undefined, spec: RunSpec): ServiceObservation["health"] {
  const { uid } = service.metadata;
  if (run?.state.kind !== "running" || place.machine === undefined || place.provider === undefined || place.instance === undefined) {
    parts.prober.unwatch(uid);
    return { state: "pending", message: "does not run" };
  }
  const port = portsOf(service.spec)[0]?.port;
  const check = service.spec.healthCheck ?? (port === undefined ? { kind: "running" as const, settleMs: settleMs(run.startedAtSeconds * 1000, service.status?.failures ?? 0, parts.clock.now()) } : { tcp: {}, intervalSeconds: 5, timeoutSeconds: 2, failureThreshold: 3, startPeriodSeconds: 30 });
  return parts.prober.watch(uid, {
    run: `${place.instance.startId}/${run.number}/${"kind" in check ? check.kind : fingerprint(check)}`,
    check, defaultPort: port, provider: place.provider, watchWay: place.machine.remote?.watch, instanceId: place.instance.id, env: spec.env,
    workingDir: service.spec.workingDir ?? place.workspace?.spec.workingDir,
  });
}

/** Dependents with a living process that are on their way down as well: they stop first. */
function dependentsStopping(parts: ServiceControllerParts, service: Service, place: Place): readonly string[] {
  const { namespace } = service.metadata;
  return parts.services
    .byIndex("dependency", keyOf(service))
    .filter((dependent) => {
      const workspace = parts.workspaces.get({ namespace, name: dependent.spec.workspace });
      if (!isDeleting(dependent) && (workspace === undefined || goingDown(workspace) === undefined)) return false;
      if (dependent.spec.workspace === service.spec.workspace && place.runs.kind === "known") {
        return place.runs.all.some((run) => run.service === dependent.metadata.uid && run.state.kind === "running");
      }
      // Elsewhere its status has to do; one that cannot be asked must not hold this one for ever.
      return dependent.status?.pid !== undefined && dependent.status.phase !== "Unknown";
    })
    .map((dependent) => dependent.metadata.name);
}

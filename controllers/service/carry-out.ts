import { timestamp } from "../../src/base/clock.ts";
import { unreachable } from "../../src/base/assert.ts";
import { portsOf, type Service, type ServiceStatus } from "../../src/api/service.ts";
import { isNotFound } from "../../src/api/status-error.ts";
import { ProviderError } from "../../src/providers/provider.ts";
import type { Place } from "./locate.ts";
import { observeService } from "./observe.ts";
import type { ServiceControllerParts } from "./parts.ts";
import { serviceFinalizer } from "./plan-down.ts";
import type { ServicePlan } from "./service-plan.ts";

export interface Acted {
  readonly service: Service;
  /** Status fields known only after acting. */
  readonly facts: Partial<ServiceStatus>;
  readonly lookAgain: boolean;
  readonly gone: boolean;
}

export async function carryOut(parts: ServiceControllerParts, draft: Service, place: Place, plan: ServicePlan, signal: AbortSignal): Promise<Acted> {
  let service = draft;
  let facts: Partial<ServiceStatus> = {};
  let lookAgain = false;
  const { uid } = service.metadata;
  for (const step of plan.steps) {
    switch (step.do) {
      case "adopt": {
        const adopted = await parts.store.update("Service", { ...service, metadata: { ...service.metadata, finalizers: [...(service.metadata.finalizers ?? []), serviceFinalizer] } });
        service = { ...adopted, ...(draft.status === undefined ? {} : { status: draft.status }) };
        lookAgain = true;
        break;
      }
      case "start": {
        const { spec } = observeService(parts, service, place);
        await checkPortsFree(parts, service, place);
        const run = await place.supervisor!.start(spec, signal);
        // A run that has ended already is left to the next look, which counts its end.
        if (run.state.kind === "running") facts = { pid: run.state.pid, runNumber: run.number, runHash: run.hash, startedAt: timestamp(run.startedAtSeconds * 1000), instanceStartId: place.instance!.startId };
        lookAgain = true;
        break;
      }
      case "signal":
        parts.recorder.event(service, step.name === "KILL" ? "Warning" : "Normal", step.name === "KILL" ? "Killing" : "Stopping", `sending SIG${step.name}: ${step.why}`);
        await place.supervisor!.signal(uid, step.run, step.name, signal);
        break;
      case "forget":
        await place.supervisor?.forget(uid, signal);
        break;
      case "finish":
        await finish(parts, service);
        return { service, facts, lookAgain: false, gone: true };
      default:
        unreachable(step);
    }
  }
  return { service, facts, lookAgain, gone: false };
}

/** Where the node's own ports are used, a stranger on one of them would answer for the service. @throws ProviderError PortInUse */
async function checkPortsFree(parts: ServiceControllerParts, service: Service, { workspace, provider }: Place): Promise<void> {
  const { nodeName, ports = [] } = workspace?.status ?? {};
  const node = nodeName === undefined ? undefined : parts.nodes.get({ name: nodeName });
  if (node === undefined) return;
  for (const { port } of portsOf(service.spec)) {
    const shared = provider?.features.sharesNodeNetwork === true && ports.some((each) => each.port === port);
    if (shared && !(await parts.machines.of(node).transport.isPortFree(port))) {
      const who = parts.crossings.state(node.metadata.name, port).kind === "up" ? "as the way to a service on another Node, whose node port has that number: give one of the two another port" : `by another process: end it ('ss -ltnp sport = :${port}' there tells which), or give the Service another port`;
      throw new ProviderError("PortInUse", `port ${port} of Node "${nodeName}" is in use ${who}`, true);
    }
  }
}

async function finish(parts: ServiceControllerParts, service: Service): Promise<void> {
  parts.prober.unwatch(service.metadata.uid);
  try {
    await parts.store.update("Service", { ...service, metadata: { ...service.metadata, finalizers: (service.metadata.finalizers ?? []).filter((each) => each !== serviceFinalizer) } });
  } catch (error) {
    // INV-8: gone is what was asked for.
    if (!isNotFound(error)) throw error;
  }
}

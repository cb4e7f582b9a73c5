import { timeoutSignal } from "../../src/base/clock.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Instance, Provider } from "../../src/providers/provider.ts";
import type { Machine } from "../machines.ts";
import { describeFailure, isSilence, whyUnknown } from "../node/why-unknown.ts";
import type { ServiceControllerParts } from "./parts.ts";
import { goingDown } from "./plan-down.ts";
import { inServerTime } from "./server-time.ts";
import type { Run, Supervisor } from "./supervisor.ts";

const inspectTimeoutMs = 15_000;

/** Where the service's command runs and what is to be seen there. */
export interface Place {
  readonly workspace: Workspace | undefined;
  readonly machine?: Machine | undefined;
  readonly provider?: Provider | undefined;
  readonly instance?: Instance | undefined;
  readonly supervisor?: Supervisor | undefined;
  readonly runs:
    | { readonly kind: "none" }
    /** Its Workspace's loop is stopping the instance, and takes nothing more from it; this service was alive when last seen. */
    | { readonly kind: "ending" }
    | { readonly kind: "unknown"; readonly reason: string; readonly message: string }
    /** Its machine says nothing at the moment, which changes nothing. */
    | { readonly kind: "silent" }
    | { readonly kind: "known"; readonly all: readonly Run[] };
}

export async function locate(parts: ServiceControllerParts, service: Service, signal: AbortSignal): Promise<Place> {
  const workspace = parts.workspaces.get({ namespace: service.metadata.namespace, name: service.spec.workspace });
  const { nodeName, instanceId, startId } = workspace?.status ?? {};
  const node: Node | undefined = nodeName === undefined ? undefined : parts.nodes.get({ name: nodeName });
  if (workspace === undefined || nodeName === undefined || instanceId === undefined || (startId === undefined && !mayBeEnding(service, workspace))) return { workspace, runs: { kind: "none" } };
  if (node === undefined) return { workspace, runs: { kind: "unknown", reason: "NodeNotFound", message: `Node "${nodeName}" does not exist` } };
  const unknown = whyUnknown(node);
  if (unknown !== undefined) return { workspace, runs: { kind: "unknown", reason: "NodeUnknown", message: unknown } };
  const machine = parts.machines.of(node);
  const provider = machine.provider(workspace.spec.provider);
  if (provider === undefined) return { workspace, runs: { kind: "none" } };
  try {
    if (startId === undefined) return { workspace, provider, runs: { kind: isUp((await inspect(parts, provider, instanceId, signal))?.state) ? "ending" : "none" } };
    const instance = parts.instances.known(instanceId, startId) ?? (await inspect(parts, provider, instanceId, signal));
    if (instance?.state !== "running") return { workspace, provider, runs: { kind: "none" } };
    const supervisor = parts.supervisors.of(provider, instance);
    return { workspace, provider, instance, supervisor, machine, runs: { kind: "known", all: (await supervisor.runs(signal)).map((run) => inServerTime(run, node.status?.clockSkewSeconds ?? 0)) } };
  } catch (error) {
    if (signal.aborted) throw error;
    if (isOver(parts, workspace)) return locate(parts, service, signal);
    // Known by now to be silent for good: no need to find that out once more.
    const lost = whyUnknown(parts.nodes.get(node.metadata) ?? node);
    if (lost !== undefined) return { workspace, runs: { kind: "unknown", reason: "NodeUnknown", message: lost } };
    if (await isSilence(error, machine, signal)) return { workspace, provider, runs: { kind: "silent" } };
    // What was remembered may be wrong now: the engine itself tells whether there is anything to be asked.
    parts.instances.forget(instanceId);
    const state = await inspect(parts, provider, instanceId, signal).then((found) => found?.state ?? "gone", (failure: unknown) => failure);
    if (signal.aborted) throw error;
    if (isOver(parts, workspace)) return locate(parts, service, signal);
    if (state === "running" || state === "paused") return { workspace, provider, runs: unreachableSupervisor(error, machine) };
    if (typeof state === "string") return { workspace, provider, runs: { kind: "none" } };
    return { workspace, provider, runs: (await isSilence(state, machine, signal)) ? { kind: "silent" } : unreachableSupervisor(state, machine) };
  }
}

/** Whether what was asked was another start of the instance than the one on record now: its Workspace's loop has stopped it meanwhile, or is about to. */
export function isOver({ workspaces }: Pick<ServiceControllerParts, "workspaces">, asked: Workspace): boolean {
  return workspaces.get(asked.metadata)?.status?.startId !== asked.status?.startId;
}

/** The start is taken from the record before the instance is stopped, and whoever was alive then was not waited for any longer. */
function mayBeEnding(service: Service, workspace: Workspace): boolean {
  return goingDown(workspace) !== undefined && service.status?.pid !== undefined;
}

const isUp = (state: Instance["state"] | undefined) => state === "running" || state === "paused";

async function inspect(parts: ServiceControllerParts, provider: Provider, id: string, signal: AbortSignal): Promise<Instance | undefined> {
  using bound = timeoutSignal(parts.clock, inspectTimeoutMs, "asking the engine", signal);
  return await parts.instances.inspect(provider, id, bound.signal);
}

const unreachableSupervisor = (error: unknown, machine: Machine) => ({ kind: "unknown", reason: "SupervisorUnreachable", message: describeFailure(error, machine) }) as const;

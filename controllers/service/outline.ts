import { isTrue } from "../../src/api/conditions.ts";
import { portsOf, type Service, type ServiceStatus } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { ServiceObservation } from "./service-observation.ts";
import type { ServicePlan, ServiceStep } from "./service-plan.ts";

interface Outline {
  readonly steps?: readonly ServiceStep[];
  readonly phase: NonNullable<ServiceStatus["phase"]>;
  readonly ready?: "True" | "False" | "Unknown";
  readonly started?: boolean;
  readonly completed?: boolean;
  readonly reason: string;
  readonly message: string;
  /** Fields to set; undefined takes one away. */
  readonly facts?: Partial<ServiceStatus> & { readonly exitedAtMs?: number };
  readonly afterMs?: number;
}

export function keep(service: Service, seen: ServiceObservation, outline: Outline): ServicePlan {
  const observedGeneration = service.metadata.generation;
  const unknown = outline.ready === "Unknown";
  const flag = (value: boolean | undefined) => (unknown ? "Unknown" : value === true ? "True" : "False");
  const waiting = unmetDependencies(service, seen);
  const { exitedAtMs: _, ...facts } = outline.facts ?? {};
  return {
    steps: outline.steps ?? [],
    status: { ...facts, phase: outline.phase, ...endpoints(service, seen.workspace) },
    conditions: [
      service.spec.dependsOn.length === 0
        ? { type: "DependenciesReady", status: "True", reason: "NoDependencies", message: "depends on nothing", observedGeneration }
        : waiting.length === 0
          ? { type: "DependenciesReady", status: "True", reason: "Met", message: `all are met${unreachableNote(seen.withoutAddress)}`, observedGeneration }
          : { type: "DependenciesReady", status: "False", reason: "Waiting", message: waiting.map((each) => each.message).join("; ").slice(0, 1000), observedGeneration },
      { type: "Started", status: flag(outline.started), reason: outline.started ? "Running" : outline.phase, message: outline.started ? "its process runs" : outline.message, observedGeneration },
      { type: "Completed", status: flag(outline.completed), reason: outline.completed ? "Completed" : outline.phase, message: outline.completed ? outline.message : "has not ended with exit code 0", observedGeneration },
      { type: "Ready", status: outline.ready ?? "False", reason: outline.reason, message: outline.message, observedGeneration },
    ],
    afterMs: outline.afterMs,
  };
}

/** Which dependencies do not meet their condition now, and why. */
export function unmetDependencies(service: Service, { dependencies, noWayTo }: Pick<ServiceObservation, "dependencies" | "noWayTo">): readonly { readonly name: string; readonly message: string }[] {
  return service.spec.dependsOn.flatMap(({ name, condition }) => {
    const dependency = dependencies.get(name);
    if (dependency === undefined) return [{ name, message: `Service "${name}", which does not exist` }];
    const inTheWay = noWayTo.get(name);
    // What its variables say must be true before anything is started that reads them.
    if (isTrue(dependency.status?.conditions, condition)) return inTheWay === undefined ? [] : [{ name, message: `a way to "${name}": ${inTheWay}` }];
    // Its phase and no more: with its whole message every change deep in the graph would be written into everything above.
    return [{ name, message: `"${name}" to be ${condition} (it is ${dependency.status?.phase ?? "Pending"})` }];
  });
}

/** A dependency that is Ready and cannot be reached is no fault of either, and somebody will look for it. */
function unreachableNote(names: readonly string[]): string {
  return names.length === 0 ? "" : `; from here nothing leads to ${names.join(", ")} (another Node, or another network on this one), so no variable tells where it is`;
}

function endpoints(service: Service, workspace: Workspace | undefined): Pick<ServiceStatus, "endpoints" | "url" | "nodeName"> {
  const list = portsOf(service.spec).flatMap(({ name, port, appProtocol }) => {
    const mapped = workspace?.status?.ports?.find((each) => each.port === port);
    return mapped === undefined ? [] : [{ name, port, nodePort: mapped.nodePort, url: `${appProtocol}://127.0.0.1:${mapped.nodePort}` }];
  });
  return { nodeName: workspace?.status?.nodeName, endpoints: list.length > 0 ? list : undefined, url: list[0]?.url };
}

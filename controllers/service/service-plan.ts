import type { ConditionInput } from "../../src/api/conditions.ts";
import type { ServiceStatus } from "../../src/api/service.ts";

export type ServiceStep =
  | { readonly do: "adopt" }
  | { readonly do: "start"; readonly why: "First" | "Restart" | "Changed" }
  | { readonly do: "signal"; readonly name: "TERM" | "KILL"; readonly run: number; readonly why: string }
  /** Remove what the supervisor keeps of it. */
  | { readonly do: "forget" }
  | { readonly do: "finish" };

/** Steps to carry out in order, then the status to write, then when to look again at the latest. */
export interface ServicePlan {
  readonly steps: readonly ServiceStep[];
  readonly status: Partial<ServiceStatus> & { readonly phase: NonNullable<ServiceStatus["phase"]> };
  readonly conditions: readonly ConditionInput[];
  readonly afterMs: number | undefined;
}

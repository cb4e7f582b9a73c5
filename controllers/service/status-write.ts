import { timestamp } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { setConditions } from "../../src/api/conditions.ts";
import type { Service, ServiceStatus } from "../../src/api/service.ts";
import { ProviderError } from "../../src/providers/provider.ts";
import { fingerprint } from "../fingerprint.ts";
import { eventsBetween } from "./events.ts";
import type { ServiceControllerParts } from "./parts.ts";
import type { ServicePlan } from "./service-plan.ts";

/** The Service as its plan has it. */
export function withStatus(service: Service, plan: ServicePlan, facts: Partial<ServiceStatus>, nowMs: number): Service {
  const merged = { ...service.status, ...plan.status, ...facts, observedGeneration: service.metadata.generation, conditions: [...setConditions(service.status?.conditions, timestamp(nowMs), ...plan.conditions)] };
  const status = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as ServiceStatus;
  return { ...service, status };
}

/** The step failed: the condition says so, and observedGeneration stays (INV-7). */
export function withFailure(service: Service, plan: ServicePlan, error: unknown, nowMs: number): Service {
  const failure = { type: "Ready", status: "False", reason: error instanceof ProviderError ? error.reason : "Failed", message: messageOf(error), observedGeneration: service.metadata.generation } as const;
  const { observedGeneration: _, ...status } = withStatus(service, { ...plan, conditions: [failure] }, {}, nowMs).status!;
  return { ...service, status: { ...service.status, ...status, phase: "Failed" } };
}

/** Writes what differs, and tells of it. */
export async function writeStatus(parts: ServiceControllerParts, stored: Service, draft: Service): Promise<void> {
  if (fingerprint(stored.status) === fingerprint(draft.status)) return;
  await parts.store.updateStatus("Service", draft);
  for (const { type, reason, message } of eventsBetween(stored.status, draft.status!)) parts.recorder.event(draft, type, reason, message);
}

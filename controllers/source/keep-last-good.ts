import type { InventoryEntry, Source } from "../../src/api/source.ts";
import { carryOut } from "./carry-out.ts";
import { eventsOf, summaryOf } from "./events.ts";
import { nextInventory } from "./inventory.ts";
import type { SourceMemory } from "./memory.ts";
import { observeWanted } from "./observe.ts";
import type { SourceControllerParts } from "./parts.ts";
import { planSource } from "./plan.ts";
import type { Drift, SourceProblem, SourceStep } from "./steps.ts";

/** What holding the objects to the last good set came to. */
export interface Kept {
  readonly inventory: readonly InventoryEntry[];
  readonly drift: readonly Drift[];
  readonly failures: readonly SourceProblem[];
  readonly hasReverted: boolean;
}

/**
 * Sets again what others have changed or deleted of the set that was applied last, while there is no other that could be. It never goes
 * further: nothing is pruned, nothing let go of, and no manifest applied that was not applied before.
 * @returns undefined when that set is not known (the server was started since, or the spec is another), or could not be applied itself any more
 */
export async function keepLastGood(parts: SourceControllerParts, source: Source, memory: SourceMemory, signal: AbortSignal): Promise<Kept | undefined> {
  const { lastGood } = memory;
  if (lastGood === undefined || lastGood.generation !== source.metadata.generation) return undefined;
  const seen = await observeWanted(parts, source, { wanted: lastGood.wanted, problems: [], missing: undefined }, memory);
  const plan = planSource(source, seen);
  if (plan.kind !== "go") return undefined;
  const steps = plan.steps.filter(keeps);
  for (const { type, reason, message, about } of eventsOf(source, steps)) parts.recorder.event(about, type, reason, message);
  const done = await carryOut({ store: parts.store, source: source.metadata.name, reverts: source.spec.driftPolicy === "revert", signal }, steps);
  const told = summaryOf(steps);
  if (told !== "") parts.recorder.event(source, "Normal", "LastSetKept", `${told}, as in the set that was applied last`);
  const kept = plan.steps.filter((step) => step.do !== "release");
  return { inventory: nextInventory(plan.claims, kept, seen, done), drift: plan.drift, failures: done.failures, hasReverted: steps.some((step) => step.do === "revert") };
}

function keeps(step: SourceStep): boolean {
  return step.do === "createNamespace" || step.do === "create" || step.do === "revert" || step.do === "adopt";
}

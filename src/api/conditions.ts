import { z } from "zod";
import { mergedByKeys } from "./list-type.ts";

/** As metav1.Condition. */
export const condition = z.strictObject({
  type: z.string().describe("What the condition is about, in CamelCase."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  reason: z.string().describe("Why, as one CamelCase word for programs."),
  message: z.string().describe("Why, as a sentence for people."),
  lastTransitionTime: z.string().describe("When status last changed, RFC 3339."),
  observedGeneration: z.number().int().optional().describe("The generation of the spec this speaks of."),
});
export type Condition = Readonly<z.infer<typeof condition>>;
export const conditions = mergedByKeys(z.array(condition), "type").describe("What is true of the object now, one entry a type.");

export type ConditionInput = Pick<Condition, "type" | "status" | "reason" | "message" | "observedGeneration">;

export function findCondition(list: readonly Condition[] | undefined, type: string): Condition | undefined {
  return list?.find((each) => each.type === type);
}

export function isTrue(list: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(list, type)?.status === "True";
}

/** The list with these set: others stay, and lastTransitionTime moves only when the status does. `now` is RFC 3339. */
export function setConditions(list: readonly Condition[] | undefined, now: string, ...next: readonly ConditionInput[]): readonly Condition[] {
  const result = [...(list ?? [])];
  for (const wanted of next) {
    const at = result.findIndex((each) => each.type === wanted.type);
    const old = result[at];
    const fresh: Condition = { ...wanted, lastTransitionTime: old?.status === wanted.status ? old.lastTransitionTime : now };
    if (at < 0) result.push(fresh);
    else result[at] = fresh;
  }
  return result;
}

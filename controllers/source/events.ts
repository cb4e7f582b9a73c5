import type { StoredObject } from "../../src/api/meta.ts";
import type { Source } from "../../src/api/source.ts";
import { refKey, type SourceStep } from "./steps.ts";

export interface SourceEvent {
  readonly about: StoredObject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** Fields that one event names. */
const toldMax = 10;
/** Objects that one pass tells of, each by itself; the Source tells how many there were. */
const objectsToldMax = 50;

/** What is told of steps before they are carried out: of the Source in sum, and of each object to which something happens. */
export function eventsOf(source: Source, steps: readonly SourceStep[]): readonly SourceEvent[] {
  const events: SourceEvent[] = [];
  const { name } = source.metadata;
  for (const step of steps) {
    if (step.do === "release") events.push({ about: source, type: "Normal", reason: "Released", message: `${refKey(step.ref)} is left as it is: ${step.why}` });
    if (step.do === "revert") events.push({ about: step.before, type: "Warning", reason: "DriftReverted", message: `Source "${name}" sets again what others have changed: ${step.fields.slice(0, toldMax).join(", ")}${effectOf(step)}` });
    if (step.do === "configure") events.push({ about: step.before, type: "Normal", reason: "Configured", message: `Source "${name}" changes ${step.fields.slice(0, toldMax).join(", ")}${effectOf(step)}` });
    if (step.do === "prune") events.push({ about: step.before, type: "Normal", reason: "Pruned", message: `Source "${name}" deletes it: its manifest is gone` });
  }
  return events.slice(0, objectsToldMax);
}

function effectOf({ effect }: { readonly effect: string | undefined }): string {
  return effect === undefined ? "" : `; ${effect}`;
}

/** In the words of `vendetta apply`. */
const words: { readonly [K in SourceStep["do"]]: string } = { createNamespace: "namespaces created", create: "created", configure: "configured", revert: "reverted", adopt: "taken into management", prune: "pruned", release: "released", await: "still being deleted" };

/** `2 created, 1 pruned`; "" when nothing was done. */
export function summaryOf(steps: readonly SourceStep[]): string {
  const counts = new Map<string, number>();
  for (const step of steps) if (step.do !== "await") counts.set(words[step.do], (counts.get(words[step.do]) ?? 0) + 1);
  return [...counts].map(([what, count]) => `${count} ${count === 1 ? what.replace("namespaces", "namespace") : what}`).join(", ");
}

/** As much of a revision as tells it from others. */
export function shortRevision(revision: string): string {
  return revision.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]*$/, "$1").replace(/^([0-9a-f]{12})[0-9a-f]{28}$/, "$1");
}

import type { KindName } from "../../api/registry.ts";
import type { SourcePlanAnswer, SourcePlanStep } from "../../api/source-plan.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { resourceName } from "../kind-words.ts";
import { objectDiff } from "../object-diff.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { CliError, ExitError } from "../world.ts";

/**
 * Shows what the next sync of a Source would do: by the server's own plan, as it is the server that reads the place.
 * @throws ExitError 1 when it would do something; CliError when the set cannot be read or applied
 */
export async function sourceDiff(session: Session, name: string): Promise<void> {
  await showPlan(session, await session.connect(), name);
}

export async function showPlan(session: Session, store: HttpStore, name: string): Promise<void> {
  const plan = await store.sourcePlan(name);
  if (plan.outcome === "Unreadable") throw new CliError(printable(plan.message ?? ""));
  if (plan.problems.length > 0) throw new CliError(plan.problems.map(({ file, line, column, message }) => printable([...[file, line, column].filter((each) => each !== undefined && each !== ""), ` ${message}`].join(":").replace(/^ /, ""))).join("\n"));
  for (const step of plan.steps) {
    for (const line of stepDiff(session, step)) session.print(line);
    session.print(session.outStyle.bold(printable(`# ${stepText(step)}`)));
  }
  tellRest(session, plan);
  if (plan.steps.length > 0) throw new ExitError(1);
  session.tell("no changes");
}

function stepDiff(session: Session, { kind, namespace, name, before, after }: SourcePlanStep): readonly string[] {
  if (before === undefined && after === undefined) return [];
  return objectDiff(session, { kind: kind as KindName, namespace, name }, before, after);
}

/** In the words of `apply`. */
function stepText({ action, kind, namespace, name, note }: SourcePlanStep): string {
  return `${resourceName(kind as KindName)}/${name}${namespace === undefined ? "" : ` of ${namespace}`} ${action}${note === undefined ? "" : `: ${note}`}`;
}

function tellRest(session: Session, { outcome, message, drift }: SourcePlanAnswer): void {
  for (const { kind, namespace, name, fields } of drift) session.tell(printable(`left as others have changed it: ${resourceName(kind as KindName)}/${name}${namespace === undefined ? "" : ` of ${namespace}`}: ${fields.join(", ")}`));
  if (message !== undefined) session.tell(printable(outcome === "PruneHeld" ? `held until it is approved: ${message}` : message));
}

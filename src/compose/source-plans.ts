import type { SourceReconciler } from "../../controllers/source/controller.ts";
import type { SourceStep } from "../../controllers/source/steps.ts";
import type { SourcePlanAnswer, SourcePlanStep } from "../api/source-plan.ts";
import { notFound } from "../api/status-error.ts";
import type { SourcePlans } from "../server/source-plan.ts";

/** The plans that the loop of Sources would carry out, as they are told to clients. */
export function createSourcePlans(reconciler: Pick<SourceReconciler, "preview">): SourcePlans {
  return async (name, signal) => {
    const found = await reconciler.preview(name, signal);
    if (found === undefined) throw notFound("sources.vendetta.dev", name);
    const { reading, plan } = found;
    const answer = (rest: Partial<SourcePlanAnswer> & Pick<SourcePlanAnswer, "outcome">): SourcePlanAnswer => ({
      apiVersion: "vendetta.dev/v1alpha1", kind: "SourcePlan", metadata: { name }, ...(reading.kind === "read" ? { revision: reading.revision } : {}), problems: [], steps: [], drift: [], ...rest,
    });
    if (reading.kind === "unreadable") return answer({ outcome: "Unreadable", message: reading.message });
    switch (plan!.kind) {
      case "refused":
        return answer({ outcome: plan!.reason, problems: plan!.problems });
      case "held":
      case "go": {
        const { steps, drift } = plan!;
        return answer({
          ...(plan!.kind === "held" ? { outcome: "PruneHeld", message: plan!.held.message } : { outcome: "Ready", ...(reading.stale === undefined ? {} : { message: reading.stale.message }) }),
          steps: steps.map(toldStep),
          drift: drift.map(({ ref: { kind, namespace, name: object }, fields }) => ({ kind, ...(namespace === undefined ? {} : { namespace }), name: object, fields })),
        });
      }
    }
  };
}

const actions = { configure: "configured", revert: "reverted", adopt: "adopted" } as const;

function toldStep(step: SourceStep): SourcePlanStep {
  const of = ({ kind, namespace, name }: { readonly kind: string; readonly namespace?: string | undefined; readonly name: string }) => ({ kind, ...(namespace === undefined ? {} : { namespace }), name });
  switch (step.do) {
    case "createNamespace":
      return { action: "created", kind: "Namespace", name: step.name, note: "it is named by others", after: { apiVersion: "v1", kind: "Namespace", metadata: { name: step.name } } };
    case "create":
      return { action: "created", ...of(step.wanted), after: { ...step.wanted.manifest.parsed, metadata: step.wanted.configuration["metadata"] } };
    case "configure":
    case "revert":
    case "adopt":
      return { action: actions[step.do], ...of(step.wanted), ...(step.effect === undefined ? {} : { note: step.effect }), before: step.before, after: step.after };
    case "prune":
      return { action: "pruned", ...of(step.ref), before: step.before };
    case "release":
      return { action: "released", ...of(step.ref), note: step.why };
    case "await":
      return { action: "awaited", ...of(step.wanted), note: "it is still being deleted, and made again then" };
  }
}

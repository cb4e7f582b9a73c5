import { timestamp } from "../../src/base/clock.ts";
import { setConditions, type ConditionInput } from "../../src/api/conditions.ts";
import { sourceToldMax, type InventoryEntry, type Source, type SourceStatus } from "../../src/api/source.ts";
import { refKey, type Drift, type HeldPrune, type SourceProblem } from "./steps.ts";

/** What a pass came to. */
export type PassResult =
  | { readonly kind: "suspended" }
  /** The repository is being asked: nothing is known yet. */
  | { readonly kind: "fetching" }
  | { readonly kind: "unreadable"; readonly reason: string; readonly message: string; readonly kept?: KeptFacts | undefined }
  | { readonly kind: "refused"; readonly revision: string; readonly reason: "Invalid" | "Refused" | "NotFound"; readonly problems: readonly SourceProblem[]; readonly kept?: KeptFacts | undefined }
  | { readonly kind: "held"; readonly revision: string; readonly held: HeldPrune; readonly drift: readonly Drift[] }
  /** On its way: `inventory` is put on record before anything is done. */
  | { readonly kind: "begun"; readonly revision: string; readonly inventory: readonly InventoryEntry[] }
  | {
      readonly kind: "done";
      readonly revision: string;
      readonly inventory: readonly InventoryEntry[];
      readonly drift: readonly Drift[];
      readonly failures: readonly SourceProblem[];
      /** Objects that are still going and are made again then. */
      readonly waiting: readonly string[];
    };

/** Of the last good set, where the objects were held to it. */
type KeptFacts = Pick<Extract<PassResult, { readonly kind: "done" }>, "inventory" | "drift">;

export interface PassFacts {
  readonly nowMs: number;
  /** Why what was read may be old; undefined: it is not. */
  readonly stale: { readonly reason: string; readonly message: string } | undefined;
  /** Why what was read holds nothing, when its directory is gone. */
  readonly missing?: string | undefined;
  /** The wish to read at once that this pass has heard. */
  readonly syncRequest: string | undefined;
}

/** The status after a pass. Pure. What did not change stays as it is, so that a pass over a settled set writes nothing. */
export function sourceStatus({ metadata, spec, status: old = {} }: Source, result: PassResult, facts: PassFacts): SourceStatus {
  const { generation: observedGeneration } = metadata;
  const { problems: _problems, problemCount: _count, heldPrune: _held, drift: _drift, ...kept } = old;
  const set = (conditions: readonly Omit<ConditionInput, "observedGeneration">[], changed: Partial<SourceStatus>): SourceStatus => ({
    ...kept,
    ...changed,
    observedGeneration,
    ...(facts.syncRequest === undefined || result.kind === "begun" ? {} : { lastSyncRequest: facts.syncRequest }),
    conditions: [...setConditions(stillTrue(old.conditions, spec, result), timestamp(facts.nowMs), ...[...conditions, ...fetched(spec, result, facts)].map((each) => ({ ...each, observedGeneration })))],
  });
  const ready = (status: "True" | "False", reason: string, message: string) => ({ type: "Ready", status, reason, message }) as const;
  const held = (status: "True" | "False", reason: string, message: string) => ({ type: "PruneHeld", status, reason, message }) as const;
  const nothingHeld = held("False", "NothingHeld", "no deletion waits for anything");
  // What holds while nothing can be said of the set.
  const { heldPrune, drift } = old;
  const toldDrift = drift === undefined ? {} : { drift };

  switch (result.kind) {
    case "suspended":
      return set([ready("False", "Suspended", "spec.suspend is true: nothing is read, and the objects stay as they are")], { ...(heldPrune === undefined ? {} : { heldPrune }), ...toldDrift });
    case "fetching": {
      const { url, ref } = spec.git!;
      const unknown = (type: string) => ({ type, status: "Unknown", reason: "Fetching", message: `fetching ${ref} of ${url}, which has not answered yet`, observedGeneration }) as const;
      // What was applied of this very spec is not in doubt meanwhile.
      const isNew = old.observedGeneration !== observedGeneration;
      return { ...old, conditions: [...setConditions(old.conditions, timestamp(facts.nowMs), ...(isNew ? [unknown("Ready")] : []), unknown("Fetched"))] };
    }
    case "unreadable":
      return set([ready("False", result.reason, result.message), held("True", result.reason, `nothing is deleted as long as the manifests cannot be read; ${nothingToApprove}`)], result.kept === undefined ? toldDrift : keptIn(result.kept));
    case "refused": {
      const [first] = result.problems;
      const more = result.problems.length === 1 ? "" : ` (and ${result.problems.length - 1} more)`;
      const message = `${placed(first!)}${more}; nothing of it is applied, and the objects stay as they are`;
      return set([ready("False", result.reason, message), held("True", result.reason, `nothing is deleted as long as something is wrong with the manifests; ${nothingToApprove}`)], {
        lastAttemptedRevision: result.revision, problems: result.problems.slice(0, sourceToldMax).map((each) => ({ ...each })), problemCount: result.problems.length,
        ...(result.kept === undefined ? {} : keptIn(result.kept)),
      });
    }
    case "held": {
      const { held: what } = result;
      const message = `${what.message}; see 'vendetta source diff ${metadata.name}', then 'vendetta source approve ${metadata.name}', or put the manifests back`;
      return set([ready("False", "PruneHeld", message), held("True", what.reason, message)], {
        lastAttemptedRevision: result.revision,
        heldPrune: { approval: what.approval, count: what.refs.length, objects: what.refs.slice(0, sourceToldMax).map(refKey) },
        ...told(result.drift),
      });
    }
    case "begun":
      return { ...old, lastAttemptedRevision: result.revision, inventory: [...result.inventory] };
    case "done": {
      const { revision, failures, waiting, inventory } = result;
      const common = { lastAttemptedRevision: revision, inventory: [...inventory], objects: inventory.length, ...told(result.drift) };
      if (failures.length > 0) return set([ready("False", "ApplyFailed", `${placed(failures[0]!)}; it is tried again`), nothingHeld], { ...common, problems: failures.slice(0, sourceToldMax).map((each) => ({ ...each })), problemCount: failures.length });
      if (waiting.length > 0) return set([ready("False", "Waiting", `${waiting.slice(0, 3).join(", ")} ${waiting.length === 1 ? "is" : "are"} being deleted, and made again then`), nothingHeld], common);
      const isNew = revision !== old.lastAppliedRevision;
      const drifted = result.drift.length === 0 ? "" : `; ${inventory.length === 1 ? "it was" : `${result.drift.length} of them`} changed by others and left so`;
      return set([ready("True", "Applied", `${inventory.length === 1 ? "1 object is" : `${inventory.length} objects are`} as the manifests say${drifted}${facts.missing === undefined ? "" : `; ${facts.missing}`}`), nothingHeld], { ...common, lastAppliedRevision: revision, ...(isNew ? { lastAppliedTime: timestamp(facts.nowMs) } : {}) });
    }
  }
}

const nothingToApprove = "there is nothing to approve";

/** Whether the repository could be asked. When it could not, that changes nothing of what runs. */
function fetched({ git }: Source["spec"], { kind }: PassResult, { stale }: PassFacts): readonly Omit<ConditionInput, "observedGeneration">[] {
  if (git === undefined || kind === "suspended") return [];
  return [stale === undefined ? { type: "Fetched", status: "True", reason: "Fetched", message: "the repository answers" } : { type: "Fetched", status: "False", ...stale }];
}

/** Without what is said of a repository that is followed no more, and of a fetch that was given up and that nobody waits for while nothing is read. */
function stillTrue(conditions: SourceStatus["conditions"], { git }: Source["spec"], { kind }: PassResult): SourceStatus["conditions"] {
  return conditions?.filter(({ type, status }) => type !== "Fetched" || (git !== undefined && (kind !== "suspended" || status !== "Unknown")));
}

function keptIn({ inventory, drift }: KeptFacts): Pick<SourceStatus, "inventory" | "drift"> {
  return { inventory: [...inventory], ...told(drift) };
}

function told(drift: readonly Drift[]): Pick<SourceStatus, "drift"> {
  if (drift.length === 0) return {};
  return { drift: drift.slice(0, sourceToldMax).map(({ ref: { kind, namespace, name }, fields }) => ({ kind, ...(namespace === undefined ? {} : { namespace }), name, fields: [...fields] })) };
}

export function placed({ file, line, column, message }: SourceProblem): string {
  const at = [file, line, column].filter((each) => each !== undefined && each !== "").join(":");
  return at === "" ? message : `${at}: ${message}`;
}

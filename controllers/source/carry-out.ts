import type { ObjectInput } from "../../src/api/meta.ts";
import type { Namespace } from "../../src/api/namespace.ts";
import type { AnyObject } from "../../src/api/registry.ts";
import { isAlreadyExists, isInvalid, isNotFound } from "../../src/api/status-error.ts";
import { messageOf } from "../../src/base/errors.ts";
import type { Fields } from "../../src/base/fields.ts";
import { inApplyOrder } from "../../src/manifests/apply-order.ts";
import { causeProblems } from "../../src/manifests/manifest-problem.ts";
import type { Store } from "../../src/store/store.ts";
import { takenOver } from "./take-over.ts";
import { refKey, type SourceProblem, type SourceStep, type Wanted } from "./steps.ts";
import { managerOf, problemOf } from "./wanted.ts";

/** Writes that are under way at once: they share the disk's time. */
const writesAtOnceMax = 100;

type ApplyStep = Extract<SourceStep, { readonly do: "create" | "configure" | "revert" | "adopt" }>;
type PruneStep = Extract<SourceStep, { readonly do: "prune" }>;

/** What came of the steps. */
export interface CarriedOut {
  /** Objects as they are stored now, by key. */
  readonly applied: ReadonlyMap<string, AnyObject>;
  /** Keys of what was asked to go. */
  readonly pruned: ReadonlySet<string>;
  readonly failures: readonly SourceProblem[];
}

export interface CarryOutParts {
  readonly store: Pick<Store, "create" | "patch" | "delete">;
  /** Name of the Source. */
  readonly source: string;
  /** Whether what others have changed is set again. */
  readonly reverts: boolean;
  readonly signal: AbortSignal;
}

/**
 * Carries the steps out. Each may be cut off by the server's end: the next pass sees what is left to do.
 *
 * The rules over several objects (no port of a workspace twice, no circle of dependencies) hold at each write, and the set holds them as a
 * whole, but not every order of its writes does. What is refused by them waits for the others, then for the deletions, and at last for a
 * Service that lets go of its ports and dependencies for a moment.
 * @throws StatusError what is not about one object, and a Conflict: somebody wrote in between, so the plan is old
 */
export async function carryOut(parts: CarryOutParts, steps: readonly SourceStep[]): Promise<CarriedOut> {
  const applied = new Map<string, AnyObject>();
  const pruned = new Set<string>();
  const failures: SourceProblem[] = [];
  const { store, signal } = parts;

  for (const step of steps) if (step.do === "createNamespace") await createNamespace(store, step.name);
  const applies = inApplyOrder(steps.filter(isApply).map((step) => ({ kind: step.wanted.kind, step }))).map(({ step }) => step);
  const run = async (wave: readonly ApplyStep[]): Promise<readonly ApplyStep[]> => {
    const refused: ApplyStep[] = [];
    await inWaves(wave, signal, async (step) => {
      try {
        applied.set(refKey(step.wanted), await applyStep(parts, step));
      } catch (error) {
        if (!isInvalid(error)) throw error;
        refused.push(step);
      }
    });
    return refused;
  };

  let waiting = await run(applies);
  await inWaves(pruneOrder(steps.filter((step) => step.do === "prune")), signal, async ({ ref, before }) => {
    try {
      await store.delete(ref.kind, ref, { uid: before.metadata.uid });
      pruned.add(refKey(ref));
    } catch (error) {
      // INV-8: gone is what was asked for.
      if (isNotFound(error)) pruned.add(refKey(ref));
      else failures.push({ file: "", message: `Cannot delete ${ref.kind} "${ref.name}": ${messageOf(error)}` });
    }
  });
  for (const untied = new Set<ApplyStep>(); waiting.length > 0; ) {
    const before = waiting.length;
    waiting = await run(waiting);
    if (waiting.length < before || waiting.length === 0) continue;
    const knot = waiting.find((step) => !untied.has(step) && step.do !== "create" && step.wanted.kind === "Service");
    if (knot === undefined) break;
    untied.add(knot);
    await untie(parts, knot);
  }
  for (const { wanted } of waiting) failures.push(...(await whyRefused(parts, wanted)));
  return { applied, pruned, failures };
}

function isApply(step: SourceStep): step is ApplyStep {
  return step.do === "create" || step.do === "configure" || step.do === "revert" || step.do === "adopt";
}

/** Services before what they run in. */
function pruneOrder(steps: readonly PruneStep[]): readonly PruneStep[] {
  return inApplyOrder(steps.map((step) => ({ kind: step.ref.kind, step }))).map(({ step }) => step);
}

async function createNamespace(store: Pick<Store, "create">, name: string): Promise<void> {
  try {
    await store.create("Namespace", { apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: {} } satisfies ObjectInput<Namespace>);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

async function applyStep(parts: CarryOutParts, step: ApplyStep): Promise<AnyObject> {
  const { wanted } = step;
  if (step.do === "create") return await apply(parts, wanted, wanted.configuration, false);
  if (step.takeOver) await takeOver(parts, step.before);
  return await apply(parts, wanted, ofUid(step.configuration, step.before), step.takeOver || (parts.reverts && wanted.kind !== "Namespace"));
}

/** Applied, it is a Conflict when that object has gone, or another one has come in its place. */
function ofUid(configuration: Fields, { metadata: { uid } }: AnyObject): Fields {
  return { ...configuration, metadata: { ...(configuration["metadata"] as Fields), uid } };
}

/** @param force sets fields that others have come to own since the plan was made, too */
async function apply({ store, source }: CarryOutParts, { kind, namespace, name }: Wanted, configuration: Fields, force: boolean): Promise<AnyObject> {
  return await store.patch(kind, { namespace, name }, { type: "apply", patch: configuration, force }, { fieldManager: managerOf(source) });
}

async function takeOver({ store, source }: CarryOutParts, object: AnyObject): Promise<void> {
  const { kind, metadata } = object;
  const managedFields = takenOver(object, source);
  if (managedFields === undefined) return;
  await store.patch(kind, metadata, { type: "merge", patch: { metadata: { managedFields, resourceVersion: metadata.resourceVersion } } }, { fieldManager: managerOf(source) });
}

async function untie(parts: CarryOutParts, { wanted }: ApplyStep): Promise<void> {
  const { spec, ...rest } = wanted.configuration;
  const { ports: _ports, port: _port, dependsOn: _dependsOn, healthCheck: _healthCheck, ...loose } = spec as Fields;
  await apply(parts, wanted, { ...rest, spec: loose }, true);
}

async function whyRefused(parts: CarryOutParts, wanted: Wanted): Promise<readonly SourceProblem[]> {
  const { kind, namespace, name, configuration, manifest } = wanted;
  try {
    await parts.store.patch(kind, { namespace, name }, { type: "apply", patch: configuration, force: true }, { fieldManager: managerOf(parts.source), dryRun: true });
    return [{ file: "", message: `${kind} "${name}" was refused, and would not be any more; it is tried again` }];
  } catch (error) {
    if (!isInvalid(error)) throw error;
    return causeProblems({ kind, name, at: manifest.at }, error.details.causes ?? [{ field: "", message: error.message }]).map(problemOf);
  }
}

/** In order, so many at a time. @throws the first error, when those begun have ended */
async function inWaves<T>(items: readonly T[], signal: AbortSignal, work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += writesAtOnceMax) {
    signal.throwIfAborted();
    const ended = await Promise.allSettled(items.slice(from, from + writesAtOnceMax).map(work));
    for (const each of ended) if (each.status === "rejected") throw each.reason as Error;
  }
}

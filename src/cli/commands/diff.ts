import { stringify } from "yaml";
import { lastAppliedAnnotation } from "../../api/three-way-merge.ts";
import { currentOf, type AppliedObject } from "../apply-object.ts";
import { applyWay, checkApplyWay, type ApplyWayOptions } from "../apply-way.ts";
import { inApplyOrder } from "../../manifests/apply-order.ts";
import { planApply } from "../apply-plan.ts";
import { resourceName } from "../kind-words.ts";
import { readSources } from "../manifest-sources.ts";
import { parseManifests } from "../manifests.ts";
import { yamlOptions } from "../output.ts";
import type { Session } from "../session.ts";
import { unifiedDiff } from "../unified-diff.ts";
import { ExitError } from "../world.ts";

export interface DiffOptions extends ApplyWayOptions {
  readonly filename?: readonly string[] | undefined;
  readonly recursive?: boolean | undefined;
  readonly showManagedFields?: boolean | undefined;
}

/**
 * Shows what `apply` of the same manifests would change, and changes nothing.
 * @throws ExitError 1 when something would change, as `kubectl diff` and diff(1) have it; whoever calls gives errors another code
 */
export async function diff(session: Session, options: DiffOptions): Promise<void> {
  checkApplyWay(options);
  const sources = await readSources(options.filename ?? [], { recursive: options.recursive === true, stdin: session.world.stdin });
  const objects = inApplyOrder(parseManifests(sources, session));
  const store = await session.connect();
  const planned = await planApply(store, objects, session.signal, await applyWay(options));
  const lines: string[] = [];
  for (const { object, before, result } of planned) {
    // Where the server merges, nobody here has seen what is stored.
    const stored = options.serverSide === true ? await currentOf(store, object) : before;
    lines.push(...objectDiff(session, { object, before: stored, result }, options.showManagedFields === true));
  }
  for (const line of lines) session.print(line);
  if (lines.length > 0) throw new ExitError(1);
}

function objectDiff({ outStyle }: Session, { object, before, result }: Pick<AppliedObject, "object" | "before" | "result">, withManagers: boolean): readonly string[] {
  const name = `${resourceName(object.kind)} ${object.namespace === undefined ? "" : `${object.namespace}/`}${object.name}`;
  return unifiedDiff({ title: `stored/${name}`, text: before === undefined ? "" : wishText(before, withManagers) }, { title: `applied/${name}`, text: wishText(result, withManagers) }, outStyle);
}

/** The part of an object that is somebody's wish, as YAML. Keys in order, so that two objects differ in values alone. */
function wishText(object: object, withManagers: boolean): string {
  const { status: _status, metadata = {}, ...rest } = object as { readonly status?: unknown; readonly metadata?: Readonly<Record<string, unknown>> };
  // The server writes these at every change or once for all; in a diff they would only hide what was asked for.
  const { resourceVersion: _version, generation: _generation, uid: _uid, creationTimestamp: _created, deletionTimestamp: _deleted, managedFields, annotations, ...kept } = metadata;
  const { [lastAppliedAnnotation]: _note, ...told } = (annotations ?? {}) as Readonly<Record<string, string>>;
  return stringify({ ...rest, metadata: { ...kept, ...(withManagers && managedFields !== undefined ? { managedFields } : {}), ...(Object.keys(told).length === 0 ? {} : { annotations: told }) } }, { ...yamlOptions, sortMapEntries: true });
}

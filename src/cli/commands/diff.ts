import { stringify } from "yaml";
import { lastAppliedAnnotation } from "../../api/three-way-merge.ts";
import type { AppliedObject } from "../apply-object.ts";
import { inApplyOrder, planApply } from "../apply-plan.ts";
import { resourceName } from "../kind-words.ts";
import { readSources } from "../manifest-sources.ts";
import { parseManifests } from "../manifests.ts";
import { yamlOptions } from "../output.ts";
import type { Session } from "../session.ts";
import { unifiedDiff } from "../unified-diff.ts";
import { ExitError } from "../world.ts";

export interface DiffOptions {
  readonly filename?: readonly string[] | undefined;
  readonly recursive?: boolean | undefined;
}

/**
 * Shows what `apply` of the same manifests would change, and changes nothing.
 * @throws ExitError 1 when something would change, as `kubectl diff` and diff(1) have it; whoever calls gives errors another code
 */
export async function diff(session: Session, options: DiffOptions): Promise<void> {
  const sources = await readSources(options.filename ?? [], { recursive: options.recursive === true, stdin: session.world.stdin });
  const objects = inApplyOrder(parseManifests(sources, session));
  const planned = await planApply(await session.connect(), objects, session.signal);
  const lines = planned.flatMap((each) => objectDiff(session, each));
  for (const line of lines) session.print(line);
  if (lines.length > 0) throw new ExitError(1);
}

function objectDiff({ outStyle }: Session, { object, before, result }: AppliedObject): readonly string[] {
  const name = `${resourceName(object.kind)} ${object.namespace === undefined ? "" : `${object.namespace}/`}${object.name}`;
  return unifiedDiff({ title: `stored/${name}`, text: before === undefined ? "" : wishText(before) }, { title: `applied/${name}`, text: wishText(result) }, outStyle);
}

/** The part of an object that is somebody's wish, as YAML. Keys in order, so that two objects differ in values alone. */
function wishText(object: object): string {
  const { status: _status, metadata = {}, ...rest } = object as { readonly status?: unknown; readonly metadata?: Readonly<Record<string, unknown>> };
  // The server writes these at every change or once for all; in a diff they would only hide what was asked for.
  const { resourceVersion: _version, generation: _generation, uid: _uid, creationTimestamp: _created, deletionTimestamp: _deleted, managedFields: _fields, annotations, ...kept } = metadata;
  const { [lastAppliedAnnotation]: _note, ...told } = (annotations ?? {}) as Readonly<Record<string, string>>;
  return stringify({ ...rest, metadata: { ...kept, ...(Object.keys(told).length === 0 ? {} : { annotations: told }) } }, { ...yamlOptions, sortMapEntries: true });
}

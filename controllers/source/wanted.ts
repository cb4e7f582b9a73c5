import { isFields } from "../../src/base/fields.ts";
import { sourceAnnotation } from "../../src/api/annotations.ts";
import type { KindName } from "../../src/api/registry.ts";
import { sourceObjectsMax } from "../../src/api/source.ts";
import type { ManifestProblem } from "../../src/manifests/manifest-problem.ts";
import type { ManifestObject } from "../../src/manifests/read-manifests.ts";
import { fingerprint } from "../fingerprint.ts";
import { refKey, type SourceProblem, type Wanted } from "./steps.ts";

/** What a Source may apply: what people write manifests of. */
const appliedKinds: ReadonlySet<KindName> = new Set<KindName>(["Namespace", "Node", "Workspace", "Service", "Source"]);

/** Who a Source is in an object's managedFields. */
export const managerOf = (source: string) => `vendetta-source/${source}`;

/** What a Source applies for a manifest. */
export function wantedOf(source: string, manifest: ManifestObject): Wanted {
  const { kind, namespace, name, raw } = manifest;
  const { metadata } = raw;
  // A Namespace belongs to all who are in it.
  const mark = kind === "Namespace" ? {} : { annotations: { ...(isFields(metadata["annotations"]) ? metadata["annotations"] : {}), [sourceAnnotation]: source } };
  const configuration = { ...raw, metadata: { ...metadata, ...mark } };
  return { kind, namespace, name, manifest, configuration, hash: fingerprint(configuration) };
}

export function problemOf({ place, field, message }: ManifestProblem): SourceProblem {
  return { ...place, ...(field === undefined ? {} : { field }), message };
}

/** What may not be in the set of any Source. */
export function kindProblems(wanted: readonly Wanted[]): readonly SourceProblem[] {
  const foreign = wanted.filter(({ kind }) => !appliedKinds.has(kind)).map(({ kind, manifest }) => problemOf({ place: manifest.at("kind"), field: "kind", message: `a Source applies no ${kind}; it applies ${[...appliedKinds].join(", ")}` }));
  const tooMany = wanted.length > sourceObjectsMax ? [{ file: "", message: `there are ${wanted.length} objects; a Source has at most ${sourceObjectsMax}` }] : [];
  return [...tooMany, ...foreign];
}

export function wantedByKey(wanted: readonly Wanted[]): ReadonlyMap<string, Wanted> {
  return new Map(wanted.map((each) => [refKey(each), each]));
}

import { stringify } from "yaml";
import { lastAppliedAnnotation } from "../api/three-way-merge.ts";
import type { KindName } from "../api/registry.ts";
import { resourceName } from "./kind-words.ts";
import { yamlOptions } from "./output.ts";
import type { Session } from "./session.ts";
import { unifiedDiff } from "./unified-diff.ts";

export interface DiffedObject {
  readonly kind: KindName;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** The lines of the difference between an object as it is stored and as it would be; undefined: it is not there. */
export function objectDiff({ outStyle }: Pick<Session, "outStyle">, { kind, namespace, name }: DiffedObject, before: object | undefined, after: object | undefined, withManagers = false): readonly string[] {
  const title = `${resourceName(kind)} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
  const text = (object: object | undefined) => (object === undefined ? "" : wishText(object, withManagers));
  return unifiedDiff({ title: `stored/${title}`, text: text(before) }, { title: `applied/${title}`, text: text(after) }, outStyle);
}

/** The part of an object that is somebody's wish, as YAML. Keys in order, so that two objects differ in values alone. */
function wishText(object: object, withManagers: boolean): string {
  const { status: _status, metadata = {}, ...rest } = object as { readonly status?: unknown; readonly metadata?: Readonly<Record<string, unknown>> };
  // The server writes these at every change or once for all; in a diff they would only hide what was asked for.
  const { resourceVersion: _version, generation: _generation, uid: _uid, creationTimestamp: _created, deletionTimestamp: _deleted, managedFields, annotations, ...kept } = metadata;
  const { [lastAppliedAnnotation]: _note, ...told } = (annotations ?? {}) as Readonly<Record<string, string>>;
  return stringify({ ...rest, metadata: { ...kept, ...(withManagers && managedFields !== undefined ? { managedFields } : {}), ...(Object.keys(told).length === 0 ? {} : { annotations: told }) } }, { ...yamlOptions, sortMapEntries: true });
}

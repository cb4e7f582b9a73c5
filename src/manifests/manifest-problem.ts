import type { StatusCause } from "../api/status-error.ts";

/** Where something is written. Lines and columns are counted from 1. */
export interface ManifestPlace {
  /** As the reader was told it: a path as the user named it, or below the directory that is read. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing wrong with a set of manifests. */
export interface ManifestProblem {
  readonly place: ManifestPlace;
  /** Path from the object's root, such as `spec.ports[0].port`; absent when it is about no single field. It is in the message too. */
  readonly field?: string;
  readonly message: string;
}

/** `web.yaml:12:5`, as compilers and editors have it. */
export function placeText({ file, line, column }: ManifestPlace): string {
  return `${file}:${line}:${column}`;
}

export function problemText({ place, message }: ManifestProblem): string {
  return `${placeText(place)}: ${message}`;
}

/** Of which object a problem is told. */
export interface PlacedObject {
  readonly kind: string;
  readonly name: string;
  at(field: string): ManifestPlace;
}

/** What a schema or the store says against an object, each cause where its field is written. */
export function causeProblems({ kind, name, at }: PlacedObject, causes: readonly Pick<StatusCause, "field" | "message">[]): readonly ManifestProblem[] {
  return causes.map(({ field, message }) => ({ place: at(field), field, message: `${kind} "${name}": ${field}: ${message}` }));
}

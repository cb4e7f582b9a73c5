import { isMap, isPair, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type ParsedNode } from "yaml";
import { messageOf } from "../base/errors.ts";
import { isFields, type Fields } from "../base/fields.ts";
import { apiVersionOf, type KindDefinition } from "../api/kind.ts";
import { closestWord } from "../api/closest-word.ts";
import { kindFor, kinds, storedKindNames, type AnyObject, type KindName } from "../api/registry.ts";
import { StatusError, type StatusCause } from "../api/status-error.ts";
import { objectBytesMax, parseObject } from "../api/validate.ts";
import { relativePathFields, withAbsoluteDirectory, withLocalPaths } from "./local-paths.ts";
import { causeProblems, type ManifestPlace, type ManifestProblem } from "./manifest-problem.ts";

/** More levels than any object has; a parser's stack ends somewhere above. */
const depthMax = 100;
/** Values an alias may stand for in one document: beyond it is no convenience but a bomb. */
const aliasesMax = 100;

/** One text with manifests in it. */
export interface ManifestText {
  /** For messages; "stdin" for `-`. */
  readonly name: string;
  /** Where relative paths in it start. Absolute. Absent: nowhere, and they are refused. */
  readonly directory: string | undefined;
  readonly text: string;
}

/** One object of a manifest, checked on its own. */
export interface ManifestObject {
  readonly kind: KindName;
  readonly namespace: string | undefined;
  readonly name: string;
  /** As written, with its namespace, and with relative paths made absolute and kept on this machine. */
  readonly raw: Fields & { readonly metadata: Fields };
  /** With defaults. */
  readonly parsed: AnyObject;
  /** `file:line`. */
  readonly place: string;
  /** Of a field such as `spec.ports[0].port`; of the nearest one above when it is not written. */
  at(field: string): ManifestPlace;
}

export interface ManifestNamespace {
  readonly namespace: string;
  /** It was asked for: objects that name another namespace are refused. */
  readonly namespaceGiven: boolean;
  /** What asked for it, for messages. Default: -n. */
  readonly givenBy?: string;
}

/** What was read. With problems, the objects are those that have none. */
export interface ReadManifests {
  readonly objects: readonly ManifestObject[];
  readonly problems: readonly ManifestProblem[];
}

/** Reads and checks every object of the texts: syntax, kinds, and all that can be told from each object alone. */
export function readManifests(texts: readonly ManifestText[], room: ManifestNamespace): ReadManifests {
  const problems: ManifestProblem[] = [];
  const objects: ManifestObject[] = [];
  for (const text of texts) {
    for (const found of rawObjects(text, problems)) {
      const object = readObject(found, text, room, problems);
      if (object !== undefined) objects.push(object);
    }
  }
  return { objects, problems };
}

interface RawObject {
  readonly value: unknown;
  at(field: string): ManifestPlace;
}

type Documents = readonly Document.Parsed<ParsedNode>[];

function parseText(text: string): { readonly documents: Documents; readonly lines: LineCounter } {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: "silent" });
  return { documents: "empty" in parsed ? [] : parsed, lines };
}

function* rawObjects({ name: file, text }: ManifestText, problems: ManifestProblem[]): Generator<RawObject> {
  let parsed: ReturnType<typeof parseText>;
  try {
    parsed = parseText(text);
  } catch (error) {
    problems.push({ place: { file, line: 1, column: 1 }, message: error instanceof RangeError ? "it is nested too deeply to be read" : messageOf(error) });
    return;
  }
  const { documents, lines } = parsed;
  // Objects may be kept for long, and what they were parsed from is many times their size: whoever asks late pays for it.
  const kept = new WeakRef(parsed);
  const at = (offset: number, counter = lines): ManifestPlace => {
    const { line, col } = counter.linePos(offset);
    return { file, line, column: col };
  };
  for (const [index, document] of documents.entries()) {
    if (document.errors.length > 0) {
      problems.push(...document.errors.map((error) => ({ place: at(error.pos[0]), message: /call stack/i.test(error.message) ? "it is nested too deeply to be read" : error.message.split("\n")[0]! })));
      continue;
    }
    const start = document.contents?.range[0] ?? 0;
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: aliasesMax });
    } catch (error) {
      problems.push({ place: at(start), message: /alias/i.test(messageOf(error)) ? `its aliases stand for too much (${messageOf(error)}); write the values out` : error instanceof RangeError ? "it is nested too deeply" : messageOf(error) });
      continue;
    }
    if (value === null || value === undefined) continue;
    const where = (path: readonly PropertyKey[]) => {
      const again = kept.deref() ?? parseText(text);
      return at(offsetOf(again.documents[index]?.contents, path) ?? start, again.lines);
    };
    if (isFields(value) && value["kind"] === "List" && Array.isArray(value["items"])) {
      for (const [i, item] of (value["items"] as unknown[]).entries()) yield { value: item, at: (field) => where(["items", i, ...pathOfField(field)]) };
    } else yield { value, at: (field) => where(pathOfField(field)) };
  }
}

function readObject({ value, at }: RawObject, { directory }: ManifestText, { namespace, namespaceGiven, givenBy = "-n" }: ManifestNamespace, problems: ManifestProblem[]): ManifestObject | undefined {
  const refuse = (field: string, message: string) => void problems.push({ place: at(field), ...(field === "" ? {} : { field }), message });
  if (!isFields(value)) {
    refuse("", `expected an object with apiVersion, kind and metadata, found ${Array.isArray(value) ? "a list" : `a ${typeof value}`}`);
    return undefined;
  }
  const foreign = foreignPlace(value, "");
  if (foreign !== undefined) {
    refuse(foreign.field, `${foreign.field}: ${foreign.message}`);
    return undefined;
  }
  const kind = kindOf(value, refuse);
  if (kind === undefined) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > objectBytesMax) {
    refuse("", `${kind} "${nameOf(value)}" is too large: ${bytes} bytes; at most ${objectBytesMax} are allowed`);
    return undefined;
  }
  const given = isFields(value["metadata"]) ? value["metadata"]["namespace"] : undefined;
  const namespaced = (kinds[kind] as KindDefinition<never>).scope === "Namespaced";
  if (namespaced && namespaceGiven && typeof given === "string" && given !== "" && given !== namespace) {
    refuse("metadata.namespace", `the object is in namespace "${given}", which is not the one ${givenBy} names, "${namespace}"`);
    return undefined;
  }
  const raw = prepared(kind, value, directory, namespaced ? namespace : undefined);
  try {
    const { metadata, body } = parseObject(kind, raw);
    if (metadata.name === undefined) {
      refuse("metadata", `${kind}: metadata.name: is required; generateName has no meaning here`);
      return undefined;
    }
    const { file, line } = at("");
    return { kind, namespace: metadata.namespace, name: metadata.name, raw, parsed: { ...body, metadata } as unknown as AnyObject, place: `${file}:${line}`, at };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const { causes } = error.details;
    if (causes === undefined || error.reason !== "Invalid") refuse("", error.message);
    else problems.push(...causeProblems({ kind, name: nameOf(value), at }, directory === undefined ? withNowhere(causes, relativePathFields(kind, raw["spec"])) : causes));
    return undefined;
  }
}

/** What is said of a relative path whose manifest lies nowhere: why it must be another one, once. */
function withNowhere(causes: readonly StatusCause[], relative: ReadonlySet<string>): readonly StatusCause[] {
  const isFirst = ({ field }: StatusCause, i: number) => causes.findIndex((each) => each.field === field) === i;
  return causes.flatMap((cause, i) => (!relative.has(cause.field) ? [cause] : isFirst(cause, i) ? [{ ...cause, message: `${cause.message}, of the machine it is used on: there, the repository lies nowhere` }] : []));
}

function kindOf(value: Fields, refuse: (field: string, message: string) => void): KindName | undefined {
  const { apiVersion, kind } = value;
  if (typeof kind !== "string" || kind === "") {
    refuse("", `kind is missing; it is one of ${storedKindNames.join(", ")}`);
    return undefined;
  }
  const known = storedKindNames.find((each) => each === kind);
  if (known === undefined) {
    const meant = closestWord(kind, storedKindNames);
    refuse("kind", `unknown kind "${kind}"${meant === undefined ? `; it is one of ${storedKindNames.join(", ")}` : `; did you mean ${meant}?`}`);
    return undefined;
  }
  const expected = apiVersionOf(kinds[known] as KindDefinition<never>);
  if (typeof apiVersion === "string" && kindFor(apiVersion, kind) !== undefined) return known;
  refuse("apiVersion", `${apiVersion === undefined ? `apiVersion is missing; a ${kind} has` : `a ${kind}'s apiVersion cannot be ${JSON.stringify(apiVersion)}; expected`} "${expected}"`);
  return undefined;
}

/** The object as it will be sent: in its namespace, with paths that mean the same everywhere, without what only a server sets. */
function prepared(kind: KindName, value: Fields, directory: string | undefined, namespace: string | undefined): ManifestObject["raw"] {
  const { status: _status, ...rest } = value;
  const { uid: _uid, resourceVersion: _version, generation: _generation, creationTimestamp: _created, deletionTimestamp: _deleted, managedFields: _fields, selfLink: _link, ...metadata } = isFields(rest["metadata"]) ? rest["metadata"] : {};
  // What is no object stays as it is, for the schema to complain about.
  const written = rest["metadata"] === undefined || isFields(rest["metadata"]) ? { ...metadata, ...(namespace === undefined ? {} : { namespace: metadata["namespace"] || namespace }) } : rest["metadata"];
  const spec = isFields(rest["spec"]) && directory !== undefined ? { spec: withPathsOf(kind, rest["spec"], directory) } : {};
  return { ...rest, metadata: written as Fields, ...spec };
}

function withPathsOf(kind: KindName, spec: Fields, directory: string): Fields {
  if (kind === "Workspace") return withLocalPaths(spec, directory);
  return kind === "Source" ? withAbsoluteDirectory(spec, directory) : spec;
}

/** The first key that would reach beyond the object, or level that is too deep. */
function foreignPlace(value: unknown, path: string, depth = 0): { readonly field: string; readonly message: string } | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (depth > depthMax) return { field: path.slice(0, 60), message: `nested deeper than ${depthMax} levels` };
  for (const [key, each] of Object.entries(value)) {
    const field = Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    if (key === "__proto__" || key === "constructor" || key === "prototype") return { field, message: "is not allowed as a field name" };
    const inner = foreignPlace(each, field, depth + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** `spec.ports[0].port`, `metadata.labels["a.b/c"]` in parts. */
function pathOfField(field: string): readonly (string | number)[] {
  return [...field.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(([, quoted, index, plain]) => (index !== undefined ? Number(index) : (quoted ?? plain)!));
}

/** Where the value at a path is written: its key, or its item; of the nearest above when it is not there. */
function offsetOf(node: unknown, path: readonly PropertyKey[]): number | undefined {
  let found = (node as ParsedNode | null)?.range?.[0];
  let at = node;
  for (const part of path) {
    if (isSeq(at) && typeof part === "number") {
      at = at.items[part];
      found = (at as ParsedNode | undefined)?.range?.[0] ?? found;
    } else if (isMap(at)) {
      const pair = at.items.find((each) => isPair(each) && isScalar(each.key) && String(each.key.value) === String(part));
      if (pair === undefined) return found;
      found = (pair.key as ParsedNode).range?.[0] ?? found;
      at = pair.value;
    } else return found;
  }
  return found;
}

function nameOf(value: Fields): string {
  const name = isFields(value["metadata"]) ? value["metadata"]["name"] : undefined;
  return typeof name === "string" ? name.slice(0, 100) : "";
}

import { isMap, isPair, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type ParsedNode } from "yaml";
import { messageOf } from "../base/errors.ts";
import { isFields, type Fields } from "../base/fields.ts";
import { apiVersionOf, type KindDefinition } from "../api/kind.ts";
import { closestWord } from "../api/closest-word.ts";
import { kindFor, kinds, storedKindNames, type AnyObject, type KindName } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";
import { objectBytesMax, parseObject } from "../api/validate.ts";
import { withLocalPaths } from "./local-paths.ts";
import type { ManifestSource } from "./manifest-sources.ts";
import { printable } from "./style.ts";
import { CliError } from "./world.ts";

/** More levels than any object has; a parser's stack ends somewhere above. */
const depthMax = 100;
/** Values an alias may stand for in one document: beyond it is no convenience but a bomb. */
const aliasesMax = 100;
const problemsMax = 20;
const problemCharactersMax = 400;


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
  /** `file:line:column` of a field such as `spec.ports[0].port`; of the nearest one above when it is not written. */
  placeOf(field: string): string;
}

/** What is wrong with manifests, one line a problem, all of them up to a bound. */
export class ManifestError extends CliError {
  override readonly name = "ManifestError";
  constructor(problems: readonly string[]) {
    const shown = problems.slice(0, problemsMax).map((each) => printable(each.length > problemCharactersMax ? `${each.slice(0, problemCharactersMax)}…` : each));
    if (problems.length > problemsMax) shown.push(`… and ${problems.length - problemsMax} more`);
    super(shown.join("\n"));
  }
}

export interface ManifestNamespace {
  readonly namespace: string;
  /** -n was given: objects that name another namespace are refused. */
  readonly namespaceGiven: boolean;
}

/**
 * Reads and checks every object of the sources: syntax, kinds, and all that can be told from each object alone.
 * @throws ManifestError with everything found
 */
export function parseManifests(sources: readonly ManifestSource[], room: ManifestNamespace): readonly ManifestObject[] {
  const problems: string[] = [];
  const objects: ManifestObject[] = [];
  for (const source of sources) {
    for (const found of rawObjects(source, problems)) {
      const object = readObject(found, source, room, problems);
      if (object !== undefined) objects.push(object);
    }
  }
  if (problems.length > 0) throw new ManifestError(problems);
  if (objects.length === 0) throw new CliError(`no objects found in ${sources.map((source) => source.name).join(", ")}`);
  return objects;
}

interface RawObject {
  readonly value: unknown;
  placeOf(field: string): string;
}

function* rawObjects({ name, text }: ManifestSource, problems: string[]): Generator<RawObject> {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  let documents: readonly Document.Parsed<ParsedNode>[];
  try {
    const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: "silent" });
    documents = "empty" in parsed ? [] : parsed;
  } catch (error) {
    problems.push(`${name}:1: ${error instanceof RangeError ? "it is nested too deeply to be read" : messageOf(error)}`);
    return;
  }
  for (const document of documents) {
    if (document.errors.length > 0) {
      problems.push(...document.errors.map((error) => `${at(error.pos[0])}: ${/call stack/i.test(error.message) ? "it is nested too deeply to be read" : error.message.split("\n")[0]}`));
      continue;
    }
    const start = document.contents?.range[0] ?? 0;
    const where = (path: readonly PropertyKey[]) => at(offsetOf(document.contents, path) ?? start);
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: aliasesMax });
    } catch (error) {
      problems.push(`${at(start)}: ${/alias/i.test(messageOf(error)) ? `its aliases stand for too much (${messageOf(error)}); write the values out` : error instanceof RangeError ? "it is nested too deeply" : messageOf(error)}`);
      continue;
    }
    if (value === null || value === undefined) continue;
    if (isFields(value) && value["kind"] === "List" && Array.isArray(value["items"])) {
      for (const [i, item] of (value["items"] as unknown[]).entries()) yield { value: item, placeOf: (field) => where(["items", i, ...pathOfField(field)]) };
    } else yield { value, placeOf: (field) => where(pathOfField(field)) };
  }
}

function readObject({ value, placeOf }: RawObject, { directory }: ManifestSource, { namespace, namespaceGiven }: ManifestNamespace, problems: string[]): ManifestObject | undefined {
  const place = placeOf("");
  if (!isFields(value)) {
    problems.push(`${place}: expected an object with apiVersion, kind and metadata, found ${Array.isArray(value) ? "a list" : `a ${typeof value}`}`);
    return undefined;
  }
  const foreign = foreignPlace(value, "");
  if (foreign !== undefined) {
    problems.push(`${placeOf(foreign.field)}: ${foreign.field}: ${foreign.message}`);
    return undefined;
  }
  const kind = kindOf(value, placeOf, problems);
  if (kind === undefined) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > objectBytesMax) {
    problems.push(`${place}: ${kind} "${nameOf(value)}" is too large: ${bytes} bytes; at most ${objectBytesMax} are allowed`);
    return undefined;
  }
  const given = isFields(value["metadata"]) ? value["metadata"]["namespace"] : undefined;
  const namespaced = (kinds[kind] as KindDefinition<never>).scope === "Namespaced";
  if (namespaced && namespaceGiven && typeof given === "string" && given !== "" && given !== namespace) {
    problems.push(`${placeOf("metadata.namespace")}: the object is in namespace "${given}", which is not the one -n names, "${namespace}"`);
    return undefined;
  }
  const raw = prepared(kind, value, directory, namespaced ? namespace : undefined);
  try {
    const { metadata, body } = parseObject(kind, raw);
    if (metadata.name === undefined) {
      problems.push(`${placeOf("metadata")}: ${kind}: metadata.name: is required; generateName has no meaning here`);
      return undefined;
    }
    return { kind, namespace: metadata.namespace, name: metadata.name, raw, parsed: { ...body, metadata } as unknown as AnyObject, place: place.replace(/:\d+$/, ""), placeOf };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const { causes } = error.details;
    if (causes === undefined || error.reason !== "Invalid") problems.push(`${place}: ${error.message}`);
    else problems.push(...causes.map(({ field, message }) => `${placeOf(field)}: ${kind} "${nameOf(value)}": ${field}: ${message}`));
    return undefined;
  }
}

function kindOf(value: Fields, placeOf: (field: string) => string, problems: string[]): KindName | undefined {
  const { apiVersion, kind } = value;
  if (typeof kind !== "string" || kind === "") {
    problems.push(`${placeOf("")}: kind is missing; it is one of ${storedKindNames.join(", ")}`);
    return undefined;
  }
  const known = storedKindNames.find((each) => each === kind);
  if (known === undefined) {
    const meant = closestWord(kind, storedKindNames);
    problems.push(`${placeOf("kind")}: unknown kind "${kind}"${meant === undefined ? `; it is one of ${storedKindNames.join(", ")}` : `; did you mean ${meant}?`}`);
    return undefined;
  }
  const expected = apiVersionOf(kinds[known] as KindDefinition<never>);
  if (typeof apiVersion === "string" && kindFor(apiVersion, kind) !== undefined) return known;
  problems.push(`${placeOf("apiVersion")}: ${apiVersion === undefined ? `apiVersion is missing; a ${kind} has` : `a ${kind}'s apiVersion cannot be ${JSON.stringify(apiVersion)}; expected`} "${expected}"`);
  return undefined;
}

/** The object as it will be sent: in its namespace, with paths that mean the same everywhere, without what only a server sets. */
function prepared(kind: KindName, value: Fields, directory: string, namespace: string | undefined): ManifestObject["raw"] {
  const { status: _status, ...rest } = value;
  const { uid: _uid, resourceVersion: _version, generation: _generation, creationTimestamp: _created, deletionTimestamp: _deleted, managedFields: _fields, selfLink: _link, ...metadata } = isFields(rest["metadata"]) ? rest["metadata"] : {};
  // What is no object stays as it is, for the schema to complain about.
  const written = rest["metadata"] === undefined || isFields(rest["metadata"]) ? { ...metadata, ...(namespace === undefined ? {} : { namespace: metadata["namespace"] || namespace }) } : rest["metadata"];
  const spec = isFields(rest["spec"]) && kind === "Workspace" ? { spec: withLocalPaths(rest["spec"], directory) } : {};
  return { ...rest, metadata: written as Fields, ...spec };
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

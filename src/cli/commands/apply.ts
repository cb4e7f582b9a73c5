import { isDeepStrictEqual } from "node:util";
import type { ObjectInput } from "../../api/meta.ts";
import { mergePatch } from "../../api/patch.ts";
import type { AnyObject, KindName } from "../../api/registry.ts";
import type { Service } from "../../api/service.ts";
import { isAlreadyExists, isConflict, isNotFound, StatusError, type StatusReason } from "../../api/status-error.ts";
import { lastApplied, lastAppliedAnnotation, lastAppliedNote, threeWayMerge } from "../../api/three-way-merge.ts";
import { parseObject } from "../../api/validate.ts";
import type { Store } from "../../store/store.ts";
import { durationArgument } from "../duration-argument.ts";
import { resourceName } from "../kind-words.ts";
import { readSources } from "../manifest-sources.ts";
import { checkManifestSet } from "../manifest-set.ts";
import { ManifestError, parseManifests, type Fields, type ManifestObject } from "../manifests.ts";
import { listOf, outputFormat, type OutputFormat, type Printable } from "../output.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";

export interface ApplyOptions {
  readonly filename?: readonly string[] | undefined;
  readonly recursive?: boolean | undefined;
  readonly wait?: boolean | undefined;
  readonly timeout?: string | undefined;
  readonly dryRun?: string | boolean | undefined;
  readonly output?: string | undefined;
}

// Services come before their Workspace: its container is then made with their ports published, which cannot be done later.
const order: { readonly [K in KindName]: number } = { Namespace: 0, Node: 1, Service: 2, Workspace: 3, Event: 4 };
const attemptsMax = 5;
const aboutTheObject: ReadonlySet<StatusReason> = new Set<StatusReason>(["Invalid", "NotFound", "BadRequest", "Forbidden"]);

export async function apply(session: Session, options: ApplyOptions): Promise<void> {
  const dryRun = dryRunOf(options.dryRun);
  const format = await outputFormat(options.output);
  const timeoutMs = durationArgument(options.timeout ?? "60s");
  const sources = await readSources(options.filename ?? [], { recursive: options.recursive === true, stdin: session.world.stdin });
  const objects = [...parseManifests(sources, session)].sort((a, b) => order[a.kind] - order[b.kind]);
  if (dryRun === "client") {
    checkManifestSet(objects, []);
    report(session, format, objects.map((object) => ({ object, outcome: "checked (client dry run)", result: object.raw as unknown as Printable })));
    return;
  }
  await applyObjects(session, objects, { format, storing: dryRun === "none" });
  if (options.wait === true && dryRun === "none") await waitUntilSettled(session, await session.connect(), objects, timeoutMs);
}

/** Applies checked objects: all of them as a dry run first, so that a refusal leaves nothing half done. */
export async function applyObjects(session: Session, objects: readonly ManifestObject[], { format = { type: "table", wide: false }, storing = true }: { readonly format?: OutputFormat; readonly storing?: boolean } = {}): Promise<void> {
  const store = await session.connect();
  checkManifestSet(objects, await neighboursOf(store, objects));
  const planned = await dryRunAll(session, store, objects);
  if (!storing) return report(session, format, planned.map((each) => ({ ...each, outcome: `${each.outcome} (server dry run)` })));
  const applied: Applied[] = [];
  try {
    for (const object of objects) {
      session.signal.throwIfAborted();
      const done = { object, ...(await applyOne(store, object, false)) };
      applied.push(done);
      if (format.type === "table") report(session, format, [done]);
    }
  } finally {
    if (format.type === "object") report(session, format, applied);
  }
}

interface Applied {
  readonly object: ManifestObject;
  readonly outcome: string;
  readonly result: Printable;
}

function report({ world, print }: Session, format: OutputFormat, applied: readonly Applied[]): void {
  if (format.type === "table") for (const { object, outcome } of applied) print(`${resourceName(object.kind)}/${object.name} ${outcome}`);
  else if (applied.length > 0) world.stdout.write(format.render(applied.length === 1 ? applied[0]!.result : listOf(applied.map((each) => each.result))));
}

function dryRunOf(value: string | boolean | undefined): "none" | "client" | "server" {
  if (value === undefined || value === false) return "none";
  if (value === "none" || value === "client" || value === "server") return value;
  throw new CliError(`--dry-run is none, client or server, not ${JSON.stringify(value)}`);
}

async function neighboursOf(store: Store, objects: readonly ManifestObject[]): Promise<readonly Service[]> {
  const namespaces = new Set(objects.filter((each) => each.kind === "Service").map((each) => each.namespace));
  const lists = await Promise.all([...namespaces].map((namespace) => store.list("Service", { namespace })));
  return lists.flatMap((list) => list.items);
}

/** What the server would say to each object. @throws ManifestError with all it refuses, each with its place */
async function dryRunAll(session: Session, store: Store, objects: readonly ManifestObject[]): Promise<readonly Applied[]> {
  const rooms = new Set(objects.filter((each) => each.kind === "Namespace").map((each) => each.name));
  const problems: string[] = [];
  const planned: Applied[] = [];
  for (const object of objects) {
    session.signal.throwIfAborted();
    try {
      planned.push({ object, ...(await applyOne(store, object, true)) });
    } catch (error) {
      if (!(error instanceof StatusError) || error.cause !== undefined) throw error;
      // Its namespace is made by this very set.
      if (isNotFound(error) && object.namespace !== undefined && rooms.has(object.namespace)) planned.push({ object, outcome: "created", result: object.raw as unknown as Printable });
      // What is not about the object (the store has stopped, too many requests) is told as it is.
      else if (!aboutTheObject.has(error.reason)) throw error;
      else {
        const { causes = [] } = error.details;
        if (causes.length === 0) problems.push(`${object.place}: ${error.message}`);
        else problems.push(...causes.map(({ field, message }) => `${object.placeOf(field)}: ${object.kind} "${object.name}": ${field}: ${message}`));
      }
    }
  }
  if (problems.length > 0) throw new ManifestError(problems);
  return planned;
}

async function applyOne(store: Store, object: ManifestObject, dryRun: boolean): Promise<Omit<Applied, "object">> {
  const { kind, namespace, name } = object;
  for (let attempt = 1; ; attempt++) {
    try {
      const current = await currentOf(store, object);
      if (current === undefined) {
        const result = await store.create(kind, withNote(object.raw) as unknown as ObjectInput<AnyObject>, { dryRun });
        return { outcome: "created", result };
      }
      const patch = patchFor(object, current);
      if (patch === undefined) return { outcome: "unchanged", result: current };
      const result = await store.patch(kind, { namespace, name }, { type: "merge", patch }, { dryRun });
      return { outcome: !dryRun && result.metadata.resourceVersion === current.metadata.resourceVersion ? "unchanged" : "configured", result };
    } catch (error) {
      // Somebody else wrote or made it between the read and the write.
      if (attempt >= attemptsMax || !(isConflict(error) || isAlreadyExists(error))) throw error;
    }
  }
}

async function currentOf(store: Store, { kind, namespace, name }: ManifestObject): Promise<AnyObject | undefined> {
  try {
    return await store.get(kind, { namespace, name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The patch that brings the object to its manifest; undefined when it would change nothing. */
export function patchFor(object: ManifestObject, current: AnyObject): Fields | undefined {
  const patch = threeWayMerge(lastApplied(current), withNote(object.raw), current as unknown as Fields);
  if (Object.keys(patch).length === 0) return undefined;
  // A list is replaced whole, and the manifest's lacks the defaults that the stored one has: only what comes out counts.
  const merged = mergePatch(current, patch) as Fields;
  try {
    const { metadata, body } = parseObject(object.kind, merged, current);
    return isDeepStrictEqual(plain({ ...body, metadata }), plain(current)) ? undefined : patch;
  } catch (error) {
    // The server says it with its own words.
    if (error instanceof StatusError) return patch;
    throw error;
  }
}

/** Without prototypes and fields that are undefined. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** The object with the note of what is applied, as kubectl writes it. */
function withNote(raw: ManifestObject["raw"]): Fields {
  const { [lastAppliedAnnotation]: _old, ...annotations } = (raw.metadata["annotations"] ?? {}) as Readonly<Record<string, string>>;
  const { annotations: _written, ...metadata } = raw.metadata;
  const applied = { ...raw, metadata: { annotations, ...metadata } };
  return { ...applied, metadata: { ...metadata, annotations: { ...annotations, [lastAppliedAnnotation]: lastAppliedNote(applied) } } };
}

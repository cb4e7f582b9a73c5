import type { KindName } from "../../api/registry.ts";
import type { Service } from "../../api/service.ts";
import { isConflict, isNotFound } from "../../api/status-error.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { awaitGone, type DeleteTarget } from "../await-gone.ts";
import { durationArgument } from "../duration-argument.ts";
import { resourceArgs, resourceName } from "../kind-words.ts";
import { readSources } from "../manifest-sources.ts";
import { parseManifests } from "../manifests.ts";
import { selectionOf, type SelectorOptions } from "../selector-options.ts";
import { explained } from "../not-found.ts";
import type { Session } from "../session.ts";
import { errorLine } from "../error-line.ts";
import { CliError, ExitError } from "../world.ts";
import { roomOf } from "./get.ts";

export interface DeleteOptions extends SelectorOptions {
  readonly filename?: readonly string[] | undefined;
  readonly recursive?: boolean | undefined;
  readonly all?: boolean | undefined;
  readonly ignoreNotFound?: boolean | undefined;
  readonly wait?: string | boolean | undefined;
  readonly timeout?: string | undefined;
}

export async function deleteCommand(session: Session, args: readonly string[], options: DeleteOptions): Promise<void> {
  const timeoutMs = durationArgument(options.timeout ?? "5m");
  const wait = options.wait !== "false" && options.wait !== false;
  const targets = await targetsOf(session, args, options);
  if (targets.length === 0) return session.tell("No resources found");
  const missing = await deleteAll(session, await session.connect(), targets, { timeoutMs, wait });
  if (options.ignoreNotFound === true || options.all === true || options.selector !== undefined || missing.length === 0) return;
  // Of manifests, what is gone already was meant and needs no other name.
  const typed = options.filename === undefined || options.filename.length === 0;
  for (const error of missing) session.tell(errorLine(typed ? await explained(session, error) : error));
  throw new ExitError(1);
}

async function targetsOf(session: Session, args: readonly string[], options: DeleteOptions): Promise<readonly DeleteTarget[]> {
  if (options.filename !== undefined && options.filename.length > 0) {
    if (args.length > 0) throw new CliError("-f cannot be given together with a kind or a name");
    const sources = await readSources(options.filename, { recursive: options.recursive === true, stdin: session.world.stdin });
    return parseManifests(sources, session).map(({ kind, namespace, name }) => ({ kind, namespace, name }));
  }
  const { kinds, named } = resourceArgs(args);
  if (named.length > 0) {
    if (options.all === true || options.selector !== undefined) throw new CliError("a name cannot be given together with --all or -l");
    return named.map(({ kind, name }) => ({ kind, namespace: roomOf(session, kind), name }));
  }
  if (options.all !== true && options.selector === undefined && options.fieldSelector === undefined) throw new CliError("say which ones: names, -l SELECTOR or --all");
  const store = await session.connect();
  const lists = await Promise.all(kinds.map((kind) => store.list(kind, selectionOf(roomOf(session, kind), options))));
  return lists.flatMap(({ items }): DeleteTarget[] => items.map(({ kind, metadata }) => ({ kind: kind, namespace: metadata.namespace, name: metadata.name, uid: metadata.uid })));
}

// Services go before what they run in, so that each is asked to stop while its Workspace still runs.
const order: { readonly [K in KindName]: number } = { Source: 0, Event: 0, Lease: 0, Service: 1, Workspace: 2, Pod: 2, Node: 3, Namespace: 4 };

export interface DeleteAllOptions {
  /** Until they are gone, at most `timeoutMs`. */
  readonly wait: boolean;
  readonly timeoutMs: number;
  /** Only ask the server; nothing goes, and nothing is waited for. Default false. */
  readonly dryRun?: boolean | undefined;
  /** Tells of each deletion that was asked for. Default: as `kubectl delete` does, on stdout. */
  readonly say?: ((target: DeleteTarget) => void) | undefined;
}

/** Asks for all deletions, then waits until all are gone. Answers the NotFound of those that were not there. */
export async function deleteAll(session: Session, store: HttpStore, targets: readonly DeleteTarget[], { timeoutMs, wait, dryRun = false, say = ({ kind, name }) => session.print(`${resourceName(kind)} "${name}" deleted`) }: DeleteAllOptions): Promise<readonly Error[]> {
  const missing: Error[] = [];
  const going: DeleteTarget[] = [];
  for (const target of await inOrder(store, targets)) {
    session.signal.throwIfAborted();
    try {
      const { metadata } = await store.delete(target.kind, target, target.uid === undefined ? undefined : { uid: target.uid }, { dryRun });
      going.push({ ...target, uid: metadata.uid });
      say(target);
    } catch (error) {
      // A conflict is one of its uid: what was meant has gone, and another one has its name.
      if (isNotFound(error)) missing.push(error);
      else if (!isConflict(error)) throw error;
    }
  }
  if (!wait || dryRun || going.length === 0) return missing;
  await awaitGone(session, store, going, timeoutMs);
  return missing;
}

/** By kind; Services so that each comes before those it depends on. */
async function inOrder(store: HttpStore, targets: readonly DeleteTarget[]): Promise<readonly DeleteTarget[]> {
  const services = targets.filter((each) => each.kind === "Service");
  const depths = new Map<DeleteTarget, number>();
  if (services.length > 1) {
    const namespaces = [...new Set(services.map((each) => each.namespace))];
    for (const namespace of namespaces) {
      const depthOf = dependencyDepths((await store.list("Service", { namespace })).items);
      for (const target of services) if (target.namespace === namespace) depths.set(target, depthOf(target.name));
    }
  }
  return [...targets].sort((a, b) => order[a.kind] - order[b.kind] || (depths.get(b) ?? 0) - (depths.get(a) ?? 0));
}

/** How many Services must come up before one, along its longest chain. Cycles are refused when written, and cost nothing here. */
function dependencyDepths(services: readonly Service[]): (name: string) => number {
  const byName = new Map(services.map((each) => [each.metadata.name, each]));
  const depths = new Map<string, number>();
  const depthOf = (name: string): number => {
    const known = depths.get(name);
    if (known !== undefined) return known;
    depths.set(name, 0);
    const depth = 1 + Math.max(0, ...(byName.get(name)?.spec.dependsOn ?? []).map((each) => depthOf(each.name)));
    depths.set(name, depth);
    return depth;
  };
  return depthOf;
}

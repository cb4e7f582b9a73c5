import { realpath, stat } from "node:fs/promises";
import { changeEffect } from "../../api/change-effect.ts";
import type { AnyObject } from "../../api/registry.ts";
import { currentOf } from "../apply-object.ts";
import { applyWay, checkApplyWay, type ApplyWayOptions } from "../apply-way.ts";
import { inApplyOrder } from "../../manifests/apply-order.ts";
import { planApply } from "../apply-plan.ts";
import { resourceName } from "../kind-words.ts";
import { readSources } from "../manifest-sources.ts";
import { parseManifests } from "../manifests.ts";
import { objectDiff } from "../object-diff.ts";
import { showPlan } from "./source-diff.ts";
import type { Session } from "../session.ts";
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
  const follower = await followerOf(session, options);
  if (follower !== undefined) {
    session.tell(`as Source "${follower}" would, which follows this directory:`);
    return await showPlan(session, await session.connect(), follower);
  }
  const sources = await readSources(options.filename ?? [], { recursive: options.recursive === true, stdin: session.world.stdin });
  const objects = inApplyOrder(parseManifests(sources, session));
  const store = await session.connect();
  const planned = await planApply(store, objects, session.signal, await applyWay(options));
  const lines: string[] = [];
  for (const { object, before, result } of planned) {
    // Where the server merges, nobody here has seen what is stored.
    const stored = options.serverSide === true ? await currentOf(store, object) : before;
    lines.push(...objectDiff(session, object, stored, result, options.showManagedFields === true));
    const effect = stored === undefined ? undefined : changeEffect(stored, result as AnyObject);
    if (effect !== undefined) lines.push(session.outStyle.bold(`# ${resourceName(object.kind)}/${object.name}: ${effect}`));
  }
  for (const line of lines) session.print(line);
  if (lines.length > 0) throw new ExitError(1);
}

/** The Source that follows the one directory given: what is to be applied from there, its sync applies. */
async function followerOf(session: Session, { filename = [], serverSide }: DiffOptions): Promise<string | undefined> {
  const [path] = filename;
  if (filename.length !== 1 || path === undefined || path === "-" || serverSide === true) return undefined;
  // What is not there, nobody follows; who reads it says what is wrong with it.
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || !(await stat(real)).isDirectory()) return undefined;
  const store = await session.connect();
  for (const { metadata, spec } of (await store.list("Source")).items) {
    if (spec.directory !== undefined && (await realpath(spec.directory.path).catch(() => undefined)) === real) return metadata.name;
  }
  return undefined;
}

import { matchesLabels, type LabelSelector } from "../../api/selectors.ts";
import { applyObject, type ApplyOne } from "../apply-object.ts";
import { applyWay, checkApplyWay, type ApplyWayOptions } from "../apply-way.ts";
import { inApplyOrder } from "../../manifests/apply-order.ts";
import { planApply } from "../apply-plan.ts";
import { durationArgument } from "../duration-argument.ts";
import { resourceName } from "../kind-words.ts";
import { readSources } from "../manifest-sources.ts";
import type { ManifestObject } from "../../manifests/read-manifests.ts";
import { checkManifestSet, parseManifests } from "../manifests.ts";
import { listOf, outputFormat, type OutputFormat, type Printable } from "../output.ts";
import { selectionOf } from "../selector-options.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";

export interface ApplyOptions extends ApplyWayOptions {
  readonly filename?: readonly string[] | undefined;
  readonly recursive?: boolean | undefined;
  /** Only manifests with these labels are applied; of what is stored, only objects with them are pruned. */
  readonly selector?: string | undefined;
  readonly prune?: boolean | undefined;
  readonly all?: boolean | undefined;
  readonly wait?: boolean | undefined;
  readonly timeout?: string | undefined;
  /** True: --dry-run without saying how. */
  readonly dryRun?: string | boolean | undefined;
  readonly output?: string | undefined;
  readonly showManagedFields?: boolean | undefined;
}

export async function apply(session: Session, options: ApplyOptions): Promise<void> {
  const labels = selectionOf(undefined, { selector: options.selector }).labels ?? [];
  checkPrune(options, labels);
  checkServerSide(options);
  const dryRun = dryRunOf(options);
  const format = await outputFormat(options.output, options);
  const timeoutMs = durationArgument(options.timeout ?? "60s");
  const wait = options.wait === true && dryRun === "none";
  const sources = await readSources(options.filename ?? [], { recursive: options.recursive === true, stdin: session.world.stdin });
  const manifests = parseManifests(sources, session);
  const objects = inApplyOrder(manifests).filter((each) => matchesLabels(labels, each.parsed.metadata.labels));
  if (objects.length === 0) throw new CliError(`no objects to apply: none of ${manifests.length} in ${sources.map((source) => source.name).join(", ")} has labels that -l "${options.selector}" selects`);
  if (dryRun === "client") {
    checkManifestSet(objects, []);
    report(session, format, objects.map((object) => ({ object, outcome: "checked (client dry run)", result: object.raw as unknown as Printable })));
    return;
  }
  await applyObjects(session, objects, { format, storing: dryRun === "none", applyOne: await applyWay(options) });
  if (options.prune === true) {
    const { pruneObjects } = await import("../prune-objects.ts");
    // With -o, stdout is what has been applied and nothing else.
    const say = (line: string) => (format.type === "table" ? session.print(line) : session.tell(line));
    await pruneObjects(session, { applied: objects, manifests, labels, dryRun: dryRun === "server", wait, timeoutMs, say });
  }
  if (wait) await waitUntilSettled(session, await session.connect(), objects, timeoutMs);
}

/** Pruning deletes, so it does not guess. @throws CliError */
function checkPrune({ prune, all, selector }: ApplyOptions, labels: LabelSelector): void {
  if (all === true && prune !== true) throw new CliError("--all says what --prune may delete: give --prune too, or leave --all out");
  if (prune !== true) return;
  if (all === true && selector !== undefined) throw new CliError("--all and -l cannot be given together: --all lets --prune delete whatever was applied, -l only what it selects");
  // A selector that came out empty, of a variable that was not set, would select everything.
  if (all !== true && labels.length === 0) throw new CliError("--prune would delete every Service and Workspace that was applied to the manifests' namespaces and is in no manifest any more: say which ones with -l SELECTOR, or that all are meant with --all");
}

/** @throws CliError */
function checkServerSide(options: ApplyOptions): void {
  checkApplyWay(options);
  const { serverSide, prune, dryRun } = options;
  if (serverSide !== true) return;
  if (dryRun === "client") throw new CliError("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)");
  // What was applied before, --prune knows by the note that client-side apply leaves.
  if (prune === true) throw new CliError("--prune doesn't work with --server-side: it would not know what was applied before");
}

/** Applies checked objects: all of them as a dry run first, so that a refusal leaves nothing half done. */
export async function applyObjects(session: Session, objects: readonly ManifestObject[], { format = { type: "table", wide: false }, storing = true, applyOne = applyObject }: { readonly format?: OutputFormat; readonly storing?: boolean; readonly applyOne?: ApplyOne } = {}): Promise<void> {
  const store = await session.connect();
  const planned = await planApply(store, objects, session.signal, applyOne);
  if (!storing) return report(session, format, planned.map((each) => ({ ...each, outcome: `${each.outcome} (server dry run)` })));
  const applied: Reported[] = [];
  try {
    for (const object of objects) {
      session.signal.throwIfAborted();
      const done = await applyOne(store, object, false);
      applied.push(done);
      if (format.type === "table") report(session, format, [done]);
    }
  } finally {
    if (format.type === "object") report(session, format, applied);
  }
}

interface Reported {
  readonly object: ManifestObject;
  readonly outcome: string;
  readonly result: Printable;
}

function report({ world, print }: Session, format: OutputFormat, applied: readonly Reported[]): void {
  if (format.type === "table") for (const { object, outcome } of applied) print(`${resourceName(object.kind)}/${object.name} ${outcome}`);
  else if (applied.length > 0) world.stdout.write(format.render(applied.length === 1 ? applied[0]!.result : listOf(applied.map((each) => each.result))));
}

function dryRunOf({ dryRun, prune, serverSide }: ApplyOptions): "none" | "client" | "server" {
  if (dryRun === undefined || dryRun === false || dryRun === "none") return "none";
  // What would be pruned, only the server knows.
  if (dryRun === true) return prune === true || serverSide === true ? "server" : "client";
  if (dryRun === "client" && prune === true) throw new CliError("--dry-run=client asks no server, and only the server knows what --prune would delete: use --dry-run=server");
  if (dryRun === "client" || dryRun === "server") return dryRun;
  throw new CliError(`--dry-run is none, client or server, not ${JSON.stringify(dryRun)}`);
}

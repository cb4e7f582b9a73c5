import { applyObject } from "../apply-object.ts";
import { inApplyOrder, planApply } from "../apply-plan.ts";
import { durationArgument } from "../duration-argument.ts";
import { resourceName } from "../kind-words.ts";
import { readSources } from "../manifest-sources.ts";
import { checkManifestSet } from "../manifest-set.ts";
import { parseManifests, type ManifestObject } from "../manifests.ts";
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

export async function apply(session: Session, options: ApplyOptions): Promise<void> {
  const dryRun = dryRunOf(options.dryRun);
  const format = await outputFormat(options.output);
  const timeoutMs = durationArgument(options.timeout ?? "60s");
  const sources = await readSources(options.filename ?? [], { recursive: options.recursive === true, stdin: session.world.stdin });
  const objects = inApplyOrder(parseManifests(sources, session));
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
  const planned = await planApply(store, objects, session.signal);
  if (!storing) return report(session, format, planned.map((each) => ({ ...each, outcome: `${each.outcome} (server dry run)` })));
  const applied: Reported[] = [];
  try {
    for (const object of objects) {
      session.signal.throwIfAborted();
      const done = await applyObject(store, object, false);
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

function dryRunOf(value: string | boolean | undefined): "none" | "client" | "server" {
  if (value === undefined || value === false) return "none";
  if (value === "none" || value === "client" || value === "server") return value;
  throw new CliError(`--dry-run is none, client or server, not ${JSON.stringify(value)}`);
}

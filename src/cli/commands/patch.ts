import { readFile } from "node:fs/promises";
import { messageOf } from "../../base/errors.ts";
import { isFields } from "../../base/fields.ts";
import type { Patch } from "../../store/store.ts";
import { resourceArgs, resourceName } from "../kind-words.ts";
import { outputFormat } from "../output.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";
import { roomOf } from "./get.ts";

export interface PatchOptions {
  readonly patch?: string | undefined;
  readonly patchFile?: string | undefined;
  readonly type?: string | undefined;
  readonly subresource?: string | undefined;
  readonly dryRun?: string | boolean | undefined;
  readonly output?: string | undefined;
  readonly showManagedFields?: boolean | undefined;
}

/** Changes some fields of objects, as `kubectl patch`. */
export async function patch(session: Session, args: readonly string[], options: PatchOptions): Promise<void> {
  const { named } = resourceArgs(args);
  if (named.length === 0) throw new CliError("say which object: patch KIND NAME, or KIND/NAME");
  const format = await outputFormat(options.output, options);
  const change = await patchOf(options);
  const dryRun = options.dryRun !== undefined && options.dryRun !== false && options.dryRun !== "none";
  const store = await session.connect();
  for (const { kind, name } of named) {
    const ref = { namespace: roomOf(session, kind), name };
    const before = await store.get(kind, ref);
    const after = await store.patch(kind, ref, change, { dryRun, ...(options.subresource === "status" ? { subresource: "status" as const } : {}) });
    if (format.type === "object") session.world.stdout.write(format.render(after));
    else session.print(`${resourceName(kind)}/${name} patched${dryRun ? " (server dry run)" : after.metadata.resourceVersion === before.metadata.resourceVersion ? " (no change)" : ""}`);
  }
}

/** The patch as JSON or YAML. @throws CliError */
async function patchOf({ patch: text, patchFile, type = "merge", subresource }: PatchOptions): Promise<Patch> {
  if (subresource !== undefined && subresource !== "status") throw new CliError(`--subresource is status, not "${subresource}"`);
  if ((text === undefined) === (patchFile === undefined)) throw new CliError(`give the patch with -p PATCH or with --patch-file FILE`);
  if (type === "strategic") throw new CliError("--type strategic is for Kubernetes' own kinds; use merge (a list is replaced whole) or json");
  if (type !== "merge" && type !== "json") throw new CliError(`--type is merge or json, not "${type}"`);
  const source = text ?? (await readFile(patchFile!, "utf8").catch((error: unknown) => {
    throw new CliError(`Cannot read ${patchFile}: ${messageOf(error)}`, { cause: error });
  }));
  const value = await parsed(source);
  if (type === "json") {
    if (!Array.isArray(value) || value.some((each) => typeof each !== "object" || each === null)) throw new CliError(`a json patch is a list of operations, such as '[{"op": "replace", "path": "/spec/state", "value": "Stopped"}]'`);
    return { type, patch: value as object[] };
  }
  if (!isFields(value)) throw new CliError(`a merge patch is an object, such as '{"spec": {"state": "Stopped"}}'`);
  return { type, patch: value };
}

async function parsed(source: string): Promise<unknown> {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    // JSON is tried first: it needs no library.
    const { parse } = await import("yaml");
    try {
      return parse(source, { maxAliasCount: 100, prettyErrors: false, logLevel: "error" }) as unknown;
    } catch (error) {
      throw new CliError(`the patch can be read neither as JSON nor as YAML: ${messageOf(error).split("\n")[0]}`, { cause: error });
    }
  }
}

import { adoptClientSide } from "../api/apply/adopt-client-side.ts";
import { applyConfiguration } from "../api/apply/apply-configuration.ts";
import { noFields } from "../api/apply/field-set.ts";
import { mergeSchemaOf } from "../api/apply/kind-merge-schema.ts";
import { managedPart, withoutNulls } from "../api/apply/managed-part.ts";
import { decodeManagers, encodeManagers } from "../api/apply/managers.ts";
import { withPart } from "../api/apply/preview-apply.ts";
import { apiVersionOf, type KindDefinition } from "../api/kind.ts";
import { kinds, type AnyObject } from "../api/registry.ts";
import { isConflict } from "../api/status-error.ts";
import type { Fields } from "../base/fields.ts";
import type { Store } from "../store/store.ts";
import type { ApplyOne } from "./apply-object.ts";
import { CliError } from "./world.ts";

export interface ServerSideOptions {
  readonly manager: string;
  /** Take fields from other managers. */
  readonly force: boolean;
}

/** What kubectl says below a conflict, word by word. */
const advice = `Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the \`--force-conflicts\` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts`;

/**
 * Applies one manifest by the server. An object that client-side apply has had until now is taken over from it.
 * The way throws CliError on a conflict, with what can be done about it.
 */
export function serverSideApply({ manager, force }: ServerSideOptions): ApplyOne {
  return async (store, object, dryRun) => {
    const { kind, namespace, name, raw } = object;
    const apply = async (): Promise<AnyObject> => {
      try {
        return await store.patch(kind, { namespace, name }, { type: "apply", patch: raw, force }, { fieldManager: manager, dryRun });
      } catch (error) {
        const conflicting = isConflict(error) && error.details.causes?.some(({ reason }) => reason === "FieldManagerConflict") === true;
        throw conflicting ? new CliError(`${error.message}\n${advice}`, { cause: error }) : error;
      }
    };
    const applied = await apply();
    if (dryRun) return { object, outcome: "serverside-applied", before: undefined, result: asTakenOver(applied, raw, { manager, force }) };
    const result = (await takeOver(store, applied, manager)) ? await apply() : applied;
    return { object, outcome: "serverside-applied", before: undefined, result };
  };
}

/** What a dry run's answer would be had the object been taken over and applied to once more, which only a stored one can be. */
function asTakenOver(applied: AnyObject, raw: Fields, { manager, force }: ServerSideOptions): AnyObject {
  const { kind, metadata } = applied;
  const apiVersion = apiVersionOf(kinds[kind] as KindDefinition<never>);
  const entries = adoptClientSide(metadata.managedFields ?? [], manager, apiVersion);
  if (entries === undefined) return applied;
  const { merged, managers } = applyConfiguration({
    schema: mergeSchemaOf(kind),
    live: managedPart(applied, undefined),
    configuration: withoutNulls(managedPart(raw, undefined)),
    managers: decodeManagers(entries, apiVersion) ?? [],
    applier: { name: manager, operation: "Apply", apiVersion, subresource: "" },
    force,
    takeable: noFields,
    now: entries.find((entry) => entry.manager === manager && entry.operation === "Apply")?.time ?? metadata.creationTimestamp,
  });
  const object = withPart(applied, merged as Fields & { readonly metadata: Fields }, apiVersion);
  return { ...object, metadata: { ...object.metadata, managedFields: encodeManagers(managers) } } as AnyObject;
}

async function takeOver(store: Store, { kind, metadata }: AnyObject, manager: string): Promise<boolean> {
  const entries = adoptClientSide(metadata.managedFields ?? [], manager, apiVersionOf(kinds[kind] as KindDefinition<never>));
  if (entries === undefined) return false;
  // With the version as a precondition: somebody may have written in between, and the next apply will take it over.
  const patch = { metadata: { managedFields: entries, resourceVersion: metadata.resourceVersion } };
  try {
    await store.patch(kind, metadata, { type: "merge", patch }, { fieldManager: manager });
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}

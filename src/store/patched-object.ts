import { qualifiedKind } from "../api/kind.ts";
import { applyJsonPatch, mergePatch } from "../api/patch.ts";
import type { AnyObject, KindName } from "../api/registry.ts";
import { invalid, StatusError } from "../api/status-error.ts";
import { patchStrategiesOf, strategicMergePatch } from "../api/strategic-merge-patch.ts";
import { definitionOf } from "./next-object.ts";
import type { Patch } from "./store.ts";

/**
 * What a patch makes of an object, still of the same name and namespace. Whether it is an object of the kind is not looked at.
 * @throws StatusError as the patch's form has it; UnsupportedMediaType, Invalid
 */
export function patchedObject(kind: KindName, before: AnyObject, patch: Exclude<Patch, { readonly type: "apply" }>): object {
  return samePlace(kind, before, applied(kind, before, patch));
}

function applied(kind: KindName, before: AnyObject, patch: Exclude<Patch, { readonly type: "apply" }>): unknown {
  switch (patch.type) {
    case "merge":
      return mergePatch(before, patch.patch);
    case "json":
      return applyJsonPatch(before, patch.patch);
    case "strategic": {
      const strategies = patchStrategiesOf(definitionOf(kind));
      if (strategies === undefined) throw new StatusError("UnsupportedMediaType", `Cannot patch a ${kind} with a strategic merge patch: only Kubernetes' own kinds have one; use a merge patch`, { kind });
      return strategicMergePatch(before, patch.patch, strategies);
    }
  }
}

function samePlace(kind: KindName, before: AnyObject, patched: unknown): object {
  const { name, namespace } = before.metadata;
  const metadata = (patched as { readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown } } | null)?.metadata;
  for (const [field, old, now] of [["name", name, metadata?.name], ["namespace", namespace, metadata?.namespace]] as const) {
    if (old !== now) throw invalid(qualifiedKind(definitionOf(kind)), name, [{ field: `metadata.${field}`, message: `cannot be changed (from ${old ?? "none"} to ${JSON.stringify(now) ?? "none"})`, reason: "FieldValueForbidden" }]);
  }
  return patched as object;
}

import { StatusError, type StatusCause } from "../status-error.ts";
import { pathsOf, type FieldSet } from "./field-set.ts";
import type { Manager } from "./managers.ts";
import { pathText } from "./path-element.ts";

/** Fields that a configuration would change and another manager owns. */
export interface Conflict {
  readonly manager: Manager;
  readonly fields: FieldSet;
}

/** The 409 of an apply that met other managers, in Kubernetes' words. Source: k8s.io/apimachinery managedfields, conflict.go. */
export function applyConflict(conflicts: readonly Conflict[]): StatusError {
  const found = [...conflicts].sort((a, b) => (ownerText(a.manager) < ownerText(b.manager) ? -1 : 1)).map(({ manager, fields }) => ({ owner: ownerText(manager), paths: [...pathsOf(fields)].map(pathText) }));
  const causes = found.flatMap(({ owner, paths }) => paths.map((field): StatusCause => ({ reason: "FieldManagerConflict", message: `conflict with ${owner}`, field })));
  const [only] = causes;
  const all = causes.length === 1
    ? `1 conflict: ${only!.message}: ${only!.field}`
    : `${causes.length} conflicts: ${found.flatMap(({ owner, paths }) => [`conflicts with ${owner}:`, ...paths.map((path) => `- ${path}`)]).join("\n")}`;
  return new StatusError("Conflict", `Apply failed with ${all}`, { causes });
}

function ownerText({ name, operation, apiVersion, subresource }: Manager): string {
  const through = subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(name)}${through}${operation === "Update" ? ` using ${apiVersion}` : ""}`;
}

import { StatusError } from "../status-error.ts";

/** As Kubernetes' API server. Characters. */
const managerCharactersMax = 128;

/** An apply without a manager. The words are Kubernetes'. */
export function fieldManagerRequired(): StatusError {
  return refused("fieldManager", "Required value: is required for apply patch", "FieldValueRequired");
}

/** `force` on a patch that is no apply. */
export function forceForbidden(): StatusError {
  return refused("force", "Forbidden: may not be specified for non-apply patch", "FieldValueForbidden");
}

/** @throws StatusError Invalid when it cannot name a manager. Source: k8s.io/apimachinery, ValidateFieldManager. */
export function checkFieldManager(name: string): string {
  if ([...name].length > managerCharactersMax) throw refused("fieldManager", `Too long: may not be more than ${managerCharactersMax} bytes`, "FieldValueTooLong");
  if (/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(name)) throw refused("fieldManager", `Invalid value: ${JSON.stringify(name)}: should only contain printable characters`, "FieldValueInvalid");
  return name;
}

/** The manager of a client that names none: what its User-Agent begins with. Source: k8s.io/apiserver, prefixFromUserAgent. */
export function managerOfUserAgent(userAgent: string | null | undefined): string {
  const name = [...(userAgent ?? "").split("/")[0]!].filter((character) => /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)).slice(0, managerCharactersMax).join("");
  return name === "" ? "unknown" : name;
}

function refused(field: string, message: string, reason: string): StatusError {
  return new StatusError("Invalid", `PatchOptions.meta.k8s.io "" is invalid: ${field}: ${message}`, { kind: "PatchOptions", group: "meta.k8s.io", causes: [{ field, message, reason }] });
}

import { invalid, type StatusError } from "../status-error.ts";

/** As Kubernetes' API server. */
const managerBytesMax = 128;

/** Which options of `meta/v1` a request carries. */
export type OptionsKind = "CreateOptions" | "UpdateOptions" | "PatchOptions";

/** An apply without a manager. The words are Kubernetes'. */
export function fieldManagerRequired(): StatusError {
  return refused("PatchOptions", "fieldManager", "Required value: is required for apply patch", "FieldValueRequired");
}

/** `force` on a patch that is no apply. */
export function forceForbidden(): StatusError {
  return refused("PatchOptions", "force", "Forbidden: may not be specified for non-apply patch", "FieldValueForbidden");
}

/** @throws StatusError Invalid when it cannot name a manager. Source: k8s.io/apimachinery, ValidateFieldManager. */
export function checkFieldManager(name: string, options: OptionsKind): string {
  if (Buffer.byteLength(name) > managerBytesMax) throw refused(options, "fieldManager", `Too long: may not be more than ${managerBytesMax} bytes`, "FieldValueTooLong");
  const stray = unprintable.exec(name);
  if (stray !== null) {
    const code = stray[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    throw refused(options, "fieldManager", `Invalid value: ${JSON.stringify(name)}: invalid character U+${code} (at position ${Buffer.byteLength(name.slice(0, stray.index))})`, "FieldValueInvalid");
  }
  return name;
}

/** What Go's unicode.IsPrint refuses. */
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/** The manager of a client that names none: what its User-Agent begins with. Source: k8s.io/apiserver, prefixFromUserAgent. */
export function managerOfUserAgent(userAgent: string | null | undefined): string {
  const printable = [...(userAgent ?? "").split("/")[0]!].filter((character) => !unprintable.test(character));
  let name = "";
  for (const character of printable) {
    if (Buffer.byteLength(name + character) > managerBytesMax) break;
    name += character;
  }
  return name === "" ? "unknown" : name;
}

function refused(options: OptionsKind, field: string, message: string, reason: string): StatusError {
  return invalid(`${options}.meta.k8s.io`, "", [{ field, message, reason }]);
}

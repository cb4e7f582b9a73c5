import { findCondition } from "../api/conditions.ts";
import type { Source } from "../api/source.ts";

/** What somebody can do about what keeps a Source from being applied; undefined: nothing does, or it passes by itself. */
export function sourceHint({ metadata: { name }, spec: { git, directory }, status }: Pick<Source, "metadata" | "spec" | "status">): string | undefined {
  const ready = findCondition(status?.conditions, "Ready");
  if (ready === undefined || ready.status === "True") return undefined;
  const again = `it is read again by itself, and at once with: vendetta source sync ${name}`;
  switch (ready.reason) {
    case "Suspended":
      return `have it followed again with: vendetta source resume ${name}`;
    case "PruneHeld":
      return `look at it with: vendetta source diff ${name}; then: vendetta source approve ${name}; or put the manifests back`;
    case "Invalid":
      return `correct the manifests; ${again}`;
    case "Refused":
      return `take those objects out of the set, or set spec.force to have them taken over; ${again}`;
    case "FetchFailed":
      return git === undefined ? undefined : `try it on the server's machine, as the server's user: git ls-remote '${git.url}' '${git.ref}'; ${again}`;
    case "NotFound":
    case "NotADirectory":
      return `${directory === undefined ? "correct spec.git.path, or commit manifests there" : "correct spec.directory.path, or have the server's user find that directory there"}; ${again}`;
    case "PermissionDenied":
      return `let the user that the server runs as read it; ${again}`;
    default:
      return undefined;
  }
}

import { StatusError } from "../api/status-error.ts";
import { anonymous, type User } from "./user.ts";

/** What anybody may ask, as by Kubernetes' ClusterRole system:public-info-viewer. */
const openPaths: readonly string[] = ["/livez", "/readyz", "/healthz", "/version", "/version/"];

/** Whether somebody may ask for a path. A wrong proof is never good, not even where none is needed. */
export function mayAsk(user: User | undefined, path: string): boolean {
  if (user === undefined) return false;
  return user.name !== anonymous.name || openPaths.includes(path);
}

/** The words are Kubernetes'; kubectl knows them. */
export function unauthorized(): StatusError {
  return new StatusError("Unauthorized", "Unauthorized");
}

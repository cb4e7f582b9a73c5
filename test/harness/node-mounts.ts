import { existsSync } from "node:fs";
import { dirname } from "node:path";

/** Mounts of a Workspace in which Node.js of this machine runs, whatever its image. */
export function nodeMounts(): object[] {
  const home = dirname(dirname(process.execPath));
  return [...new Set(["/usr", "/lib", "/lib64", home])].filter((path) => existsSync(path)).map((path) => ({ path, hostPath: path, readOnly: true }));
}

import { isAbsolute, resolve } from "node:path";
import { isFields, type Fields } from "../base/fields.ts";
import { localNodeLabel } from "../api/local-node-label.ts";
import type { KindName } from "../api/registry.ts";

/**
 * The spec of a Workspace with what is relative in it made absolute, from `directory` on. A relative path means this machine,
 * which is the server's own: unless the spec says itself where it is to run, it is kept here. What is no path stays as it is, for the
 * schema to complain about.
 */
export function withLocalPaths(spec: Fields, directory: string): Fields {
  const { provider, mounts, workingDir, nodeName, nodeSelector } = spec;
  const places: Fields = {
    // Elsewhere it is a path inside the instance.
    ...(provider === "host" && isRelative(workingDir) && workingDir.startsWith(".") ? { workingDir: resolve(directory, workingDir) } : {}),
    ...(Array.isArray(mounts) && mounts.some(isRelativeMount) ? { mounts: mounts.map((mount: unknown) => (isRelativeMount(mount) ? { ...mount, hostPath: resolve(directory, mount.hostPath) } : mount)) } : {}),
  };
  const isLocal = Object.keys(places).length > 0 && nodeName === undefined && nodeSelector === undefined;
  return { ...spec, ...places, ...(isLocal ? { nodeSelector: { [localNodeLabel]: "true" } } : {}) };
}

/** The spec of a Source with the directory it follows made absolute, from `directory` on. */
export function withAbsoluteDirectory(spec: Fields, directory: string): Fields {
  const { directory: followed } = spec;
  return isFields(followed) && isRelative(followed["path"]) ? { ...spec, directory: { ...followed, path: resolve(directory, followed["path"]) } } : spec;
}

/** Fields whose paths start beside the manifest, as `spec.mounts[0].hostPath`: what the two above make absolute. */
export function relativePathFields(kind: KindName, spec: unknown): ReadonlySet<string> {
  const fields = new Set<string>();
  if (!isFields(spec)) return fields;
  const { provider, mounts, workingDir, directory } = spec;
  if (kind === "Source" && isFields(directory) && isRelative(directory["path"])) fields.add("spec.directory.path");
  if (kind !== "Workspace") return fields;
  if (provider === "host" && isRelative(workingDir) && workingDir.startsWith(".")) fields.add("spec.workingDir");
  if (Array.isArray(mounts)) for (const [i, mount] of mounts.entries()) if (isRelativeMount(mount)) fields.add(`spec.mounts[${i}].hostPath`);
  return fields;
}

function isRelativeMount(mount: unknown): mount is Fields & { readonly hostPath: string } {
  return isFields(mount) && isRelative(mount["hostPath"]);
}

function isRelative(path: unknown): path is string {
  return typeof path === "string" && path !== "" && !isAbsolute(path);
}

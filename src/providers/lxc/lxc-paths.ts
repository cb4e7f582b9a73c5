import { createHash } from "node:crypto";

/**
 * Where things are on the node, below the directory that instances are kept in. The path of LXC's own is used by nobody else, so that no
 * other tool's containers are ever seen, nor ours by another tool's `lxc-ls`.
 */
export interface LxcPaths {
  /** For `lxc-* -P`. Holds a directory an instance. */
  readonly lxcPath: string;
  /** Volumes and snapshots, a directory an instance: they outlive it. */
  readonly work: string;
  readonly images: string;
  /** The hook's script, who waits for hints, the network's record and lock. */
  readonly node: string;
  /** Name of the bridge that vendetta keeps for this directory: at most 15 characters, as the kernel has it. */
  readonly bridge: string;
}

/** Where a container's parts are put together before its init runs, in a mount namespace that is its own: on the node it stays empty. */
export const stage = "/run/vendetta-lxc";

/** Inside: writable by all, emptied at each start. */
export const runDir = "/run/vendetta";

/** Inside: the init of an image that has none. */
export const waitingInitPath = "/.vendetta-init";

export function lxcPathsOf(dir: string): LxcPaths {
  return { lxcPath: `${dir}/lxc`, work: `${dir}/lxc-work`, images: `${dir}/lxc-images`, node: `${dir}/lxc-node`, bridge: `vl${shortHash(dir)}` };
}

/** The node's end of an instance's cable. */
export function vethOf(lxcPath: string, id: string): string {
  return `ve${shortHash(`${lxcPath}/${id}`)}`;
}

/** Twelve hexadecimal digits. */
export function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

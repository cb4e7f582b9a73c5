import type { NamespacedName } from "../base/keys.ts";

/** What something used over a window of time that ended at `atMs`. */
export interface Usage {
  readonly cores: number;
  readonly memoryBytes: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly windowMs: number;
}

/** Measures when asked. Handed in by the composition root, which knows the engines. Absent answers: it does not run, or could not be asked. */
export interface UsageSource {
  ofWorkspace(ref: NamespacedName): Promise<Usage | undefined>;
  ofNode(name: string): Promise<Usage | undefined>;
}

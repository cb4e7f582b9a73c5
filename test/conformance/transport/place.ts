import { readdirSync, readFileSync } from "node:fs";
import type { Transport } from "../../../src/transports/transport.ts";
import { eventually } from "../../harness/eventually.ts";

/** A transport to test. Its machine is this one, perhaps by a detour, so that the cases can look at its files and processes. */
export interface TransportPlace {
  readonly transport: Transport;
  /** An empty directory of the place's own. */
  readonly directory: string;
  /** The code of the error that `listen` ends with here, whatever the port; undefined: it works. */
  readonly listenFailure?: string | undefined;
  /** Another transport to the same machine, which the case closes. */
  open(): Promise<Transport>;
  close(): Promise<void>;
}

/** States one case. */
export type TransportTest = (what: string, body: (place: TransportPlace) => Promise<void>) => void;

/** Pids of processes with this in their environment. */
export function marked(mark: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`VENDETTA_TEST_MARK=${mark}`);
      } catch {
        return false; // Gone meanwhile, or a zombie.
      }
    })
    .map(Number);
}

/** Waits until nothing that carries the mark lives. */
export function gone(mark: string): Promise<void> {
  return eventually(() => {
    const left = marked(mark);
    if (left.length > 0) throw new Error(`${left.length} processes are left: ${left.join(", ")}`);
  }, 3000, 20);
}

/** Waits until at least `count` processes carry the mark. */
export function started(mark: string, count: number): Promise<void> {
  return eventually(() => {
    if (marked(mark).length < count) throw new Error(`fewer than ${count} processes were started`);
  }, 5000, 20);
}

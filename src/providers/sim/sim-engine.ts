import type { Clock } from "../../base/clock.ts";
import type { InstanceSpec, PublishedPort } from "../provider.ts";

export interface SimInstance {
  readonly spec: InstanceSpec;
  state: "created" | "running" | "stopped";
  startId: string | undefined;
  startedAtMs: number;
  /** Whatever a simulation keeps inside a running instance; emptied when it stops. */
  readonly inside: Map<string, unknown>;
  /** What was written to its disk. */
  disk: string;
  /** What is published of it. */
  ports: readonly PublishedPort[];
}

export interface SimSnapshot {
  readonly takenAtMs: number;
  readonly disk: string;
}

/** An engine in memory: what a provider asks it and what a simulation does to it behind the provider's back. */
export interface SimEngine {
  readonly instances: Map<string, SimInstance>;
  /** Names of volumes. */
  readonly volumes: Set<string>;
  /** By instance id, then by name. */
  readonly snapshots: Map<string, Map<string, SimSnapshot>>;
  nowMs(): number;
  /** Nobody answers while it is down. */
  down: boolean;
  start(id: string): void;
  stop(id: string): void;
  remove(id: string): void;
  make(id: string, spec: InstanceSpec): void;
  /** Called with an instance's id after each change. Answers how to stop listening. */
  onChange(listener: (id: string) => void): () => void;
}

/** @param name tells its starts from those of other engines, as real ones are told apart */
export function createSimEngine(clock: Clock, name = "sim"): SimEngine {
  const instances = new Map<string, SimInstance>();
  const listeners = new Set<(id: string) => void>();
  let starts = 0;
  const tell = (id: string) => {
    for (const listener of [...listeners]) listener(id);
  };
  return {
    instances,
    volumes: new Set(),
    snapshots: new Map(),
    nowMs: () => clock.now(),
    down: false,
    make(id, spec) {
      instances.set(id, { spec, state: "created", startId: undefined, startedAtMs: 0, inside: new Map(), disk: "", ports: spec.ports });
      tell(id);
    },
    start(id) {
      const instance = instances.get(id);
      if (instance === undefined || instance.state === "running") return;
      Object.assign(instance, { state: "running", startId: `${name}-start-${++starts}`, startedAtMs: clock.now() });
      tell(id);
    },
    stop(id) {
      const instance = instances.get(id);
      if (instance?.state !== "running") return;
      Object.assign(instance, { state: "stopped", startId: undefined });
      instance.inside.clear();
      tell(id);
    },
    remove(id) {
      if (instances.delete(id)) tell(id);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

import { timestamp } from "../../base/clock.ts";
import { ProviderError, type Snapshots } from "../provider.ts";
import type { SimEngine } from "./sim-engine.ts";

/** Snapshots of what simulated instances have on their disks. `ask` throws when the engine does not answer. */
export function createSimSnapshots(engine: SimEngine, ask: (signal: AbortSignal) => void): Snapshots {
  const find = (id: string) => {
    const instance = engine.instances.get(id);
    if (instance === undefined) throw new ProviderError("NotFound", `there is no instance ${id}`, true);
    return instance;
  };
  return {
    async list(id, signal) {
      ask(signal);
      return [...(engine.snapshots.get(id) ?? [])].map(([name, { takenAtMs }]) => ({ name, createdAt: timestamp(takenAtMs) }));
    },
    async take(id, name, signal) {
      ask(signal);
      const { disk } = find(id);
      const kept = engine.snapshots.get(id) ?? new Map();
      if (!kept.has(name)) kept.set(name, { takenAtMs: engine.nowMs(), disk });
      engine.snapshots.set(id, kept);
    },
    async restore(id, name, signal) {
      ask(signal);
      const instance = find(id);
      if (instance.state === "running") throw new ProviderError("StillRunning", `${id} runs`, true);
      const kept = engine.snapshots.get(id)?.get(name);
      if (kept === undefined) throw new ProviderError("SnapshotNotFound", `${id} has no snapshot ${name}`, true);
      instance.disk = kept.disk;
    },
    async remove(id, name, signal) {
      ask(signal);
      engine.snapshots.get(id)?.delete(name);
    },
  };
}

import type { Instance, Provider } from "../src/providers/provider.ts";

/**
 * The last look at each instance, shared by the controllers so that a Service's pass need not ask the engine again.
 * Only a cache: whoever acts on what it says and fails looks at the engine itself.
 */
export interface Instances {
  /** Asks the engine and remembers the answer. */
  inspect(provider: Provider, id: string, signal: AbortSignal): Promise<Instance | undefined>;
  /** The last answer, if it was about this start of the instance. */
  known(id: string, startId: string): Instance | undefined;
  forget(id: string): void;
}

export function createInstances(): Instances {
  const last = new Map<string, Instance>();
  return {
    async inspect(provider, id, signal) {
      const instance = await provider.inspect(id, signal);
      if (instance === undefined) last.delete(id);
      else last.set(id, instance);
      return instance;
    },
    known(id, startId) {
      const instance = last.get(id);
      return instance?.startId === startId ? instance : undefined;
    },
    forget: (id) => void last.delete(id),
  };
}

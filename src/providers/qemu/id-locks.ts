import { untilAborted } from "../../base/until-aborted.ts";

/** One after the other for one id; different ids at once. */
export interface IdLocks {
  /** @throws the signal's reason when it aborts before it is our turn, what `act` throws */
  hold<T>(id: string, signal: AbortSignal, act: () => Promise<T>): Promise<T>;
}

export function createIdLocks(): IdLocks {
  const last = new Map<string, Promise<unknown>>();
  return {
    async hold(id, signal, act) {
      const before = last.get(id) ?? Promise.resolve();
      let release = () => {};
      const mine = before.then(() => new Promise<void>((resolve) => (release = resolve)));
      last.set(id, mine);
      try {
        await untilAborted(before, signal);
        return await act();
      } finally {
        // Whoever gave up waiting must not let the next one in before its own turn.
        void before.then(() => release());
        void mine.then(() => last.get(id) === mine && last.delete(id));
      }
    },
  };
}

import { untilAborted } from "./until-aborted.ts";

/** Something that is so or not at the moment, and can be waited for. */
export interface Flag {
  set(isRaised: boolean): void;
  /** Resolves when it is raised, at once when it is so already. @throws the signal's reason */
  raised(signal: AbortSignal): Promise<void>;
}

/** Not raised at first. */
export function createFlag(): Flag {
  const waiting = new Set<() => void>();
  let isRaisedNow = false;
  return {
    set(isRaised) {
      isRaisedNow = isRaised;
      if (!isRaised) return;
      for (const go of waiting) go();
      waiting.clear();
    },
    async raised(signal) {
      if (isRaisedNow) return signal.throwIfAborted();
      let go = () => {};
      const coming = new Promise<void>((resolve) => waiting.add((go = resolve)));
      try {
        await untilAborted(coming, signal);
      } finally {
        waiting.delete(go);
      }
    },
  };
}

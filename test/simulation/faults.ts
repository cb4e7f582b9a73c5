import { sleep, type Clock } from "../../src/base/clock.ts";
import type { Random } from "../../src/base/random.ts";
import { ProviderError } from "../../src/providers/provider.ts";

/** One life of the control plane. When it is over, nothing that it waits for ever comes. */
export interface Life {
  alive: boolean;
}

const never = new Promise<never>(() => undefined);

/** Passes an answer on only while its life lasts: a crash is a wait that never ends. */
export async function whileAlive<T>(life: Life, ask: () => Promise<T>): Promise<T> {
  if (!life.alive) return await never;
  try {
    const answer = await ask();
    return life.alive ? answer : await never;
  } catch (error) {
    if (!life.alive) return await never;
    throw error;
  }
}

export interface FaultOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Whether anything goes wrong now. */
  readonly active: () => boolean;
  /** Ends the life at this very point. */
  readonly crash: () => void;
  readonly trace: (line: string) => void;
}

/** Wraps a call to an engine so that it may fail before its effect, after it, come late, or be the last thing a life does. */
export function faulty(life: Life, { clock, random, active, crash, trace }: FaultOptions) {
  const chance = (share: number) => active() && random.next() < share;
  const fail = (what: string, when: string) => {
    trace(`fault: ${what} fails ${when} its effect`);
    throw new ProviderError("EngineUnreachable", `${what}: the connection broke`, true);
  };
  return async <T>(what: string, ask: () => Promise<T>): Promise<T> =>
    await whileAlive(life, async () => {
      if (chance(0.05)) await sleep(clock, random.next() * 3000);
      if (chance(0.01)) crash();
      if (!life.alive) return await never;
      if (chance(0.04)) fail(what, "before");
      const answer = await ask();
      if (chance(0.01)) crash();
      if (chance(0.04)) fail(what, "after");
      return answer;
    });
}

/** A clock whose timers are forgotten when the life ends. */
export function clockOf(life: Life, clock: Clock): Clock {
  return { now: () => clock.now(), monotonic: () => clock.monotonic(), after: (ms, fire) => clock.after(ms, () => life.alive && fire()) };
}

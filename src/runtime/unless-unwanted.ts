import type { Clock } from "../base/clock.ts";

/** How often it is asked whether what goes on is still wanted. */
const checkMs = 250;

/** Why a step was given up: the object that it is for is not as it was when the step began. */
export const interrupted = new Error("the object has changed meanwhile");

/**
 * Takes a long step, and has its signal abort once nobody wants it any more. The step must end by its signal.
 * @param isUnwanted reads a cache: it is asked a few times a second
 * @throws interrupted, then; the signal's reason; what the step throws
 */
export async function unlessUnwanted<T>(clock: Clock, isUnwanted: () => boolean, signal: AbortSignal, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  let check: Disposable;
  const arm = () => {
    check = clock.after(checkMs, () => {
      if (isUnwanted()) interrupt.abort(interrupted);
      else arm();
    });
  };
  arm();
  try {
    return await act(AbortSignal.any([signal, interrupt.signal]));
  } finally {
    check![Symbol.dispose]();
  }
}

/**
 * Time, handed in. Everything in vendetta that waits or stamps does it through a `Clock`, so that the whole control
 * plane also runs under a virtual clock (see `src/base/virtual-clock.ts`). The real one lives in `system.ts`.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. May step when the machine's clock is set; never use it to measure durations. */
  now(): number;
  /** Milliseconds on a clock that never goes back; only differences mean anything. */
  monotonic(): number;
  /** Calls `fire` once, `ms` milliseconds from now (at once when `ms <= 0`, but never synchronously). Disposing cancels. */
  after(ms: number, fire: () => void): Disposable;
}

/**
 * Resolves after `ms` milliseconds.
 * @throws the signal's reason when it aborts first.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = () => {
      timer[Symbol.dispose]();
      reject(signal!.reason as Error);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** A wait ended because its time ran out. `timeoutMs` is the bound that was hit. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
  readonly timeoutMs: number;
  constructor(what: string, timeoutMs: number) {
    super(`${what} did not finish within ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** A signal that aborts with a `TimeoutError` after `timeoutMs`, or with the parent's reason when that aborts first. Dispose it when done. */
export function timeoutSignal(clock: Clock, timeoutMs: number, what: string, parent?: AbortSignal): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const onParent = () => controller.abort(parent!.reason);
  if (parent?.aborted) controller.abort(parent.reason);
  else parent?.addEventListener("abort", onParent, { once: true });
  const timer = clock.after(timeoutMs, () => controller.abort(new TimeoutError(what, timeoutMs)));
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
      parent?.removeEventListener("abort", onParent);
    },
  };
}

/** RFC 3339 in whole seconds and UTC, as Kubernetes writes `metav1.Time`. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** As `timestamp`, to the millisecond. */
export function timestampWithMs(ms: number): string {
  return new Date(ms).toISOString();
}

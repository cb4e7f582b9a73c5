import { sleep } from "../../base/clock.ts";
import { connectSsh, type SshConnection } from "./ssh-connection.ts";
import { createSessionLimit } from "./session-limit.ts";
import { SshError, type SshFailure } from "./ssh-error.ts";
import { nameOfMachine, reconnectMs, reconnectMsMax, type SshOptions } from "./ssh-options.ts";
import { untilAborted } from "../../base/until-aborted.ts";

/** How the way to a machine is, for a Node's status. */
export type SshState =
  /** Nobody has asked for it yet. */
  | { readonly phase: "idle" }
  | { readonly phase: "connecting" }
  /** `latencyMs`: of the last answered keepalive. */
  | { readonly phase: "ready"; readonly latencyMs: number | undefined }
  /** Until somebody asks for it again. */
  | { readonly phase: "broken"; readonly failure: SshFailure; readonly reason: string };

/** The one connection to a machine, made when it is asked for and again after it was lost. */
export interface SshLink {
  readonly state: SshState;
  /** Sessions at once that the machine is thought to allow on one connection. */
  readonly sessionsLimit: number;
  onState(listener: (state: SshState) => void): Disposable;
  /**
   * Does something over the connection. When that breaks before anything was done, it is tried once more over the next one.
   * @throws SshError when there is none, the signal's reason, what `act` throws
   */
  use<T>(act: (connection: SshConnection) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Refuses more; what is under way goes on. */
  refuse(): void;
  /** Ends the connection. */
  close(): void;
}

export function createSshLink(options: SshOptions): SshLink {
  const { clock, random, sessionLimit = createSessionLimit(options) } = options;
  const baseMs = options.reconnectMs ?? reconnectMs;
  const mostMs = options.reconnectMsMax ?? reconnectMsMax;
  const listeners = new Set<(state: SshState) => void>();
  const ending = new AbortController();
  let state: SshState = { phase: "idle" };
  let current: SshConnection | undefined;
  let connecting: Promise<SshConnection> | undefined;
  let failures = 0;
  let lastFailure: SshError | undefined;
  let notBeforeMs = 0;

  const tell = (next: SshState) => {
    state = next;
    for (const listener of [...listeners]) listener(next);
  };
  const broke = (error: SshError) => {
    if (!ending.signal.aborted) tell({ phase: "broken", failure: error.failure, reason: error.message });
  };

  const attempt = async (): Promise<SshConnection> => {
    const waitMs = notBeforeMs - clock.monotonic();
    // What only somebody's doing can change is not waited for.
    if (waitMs > 0 && lastFailure?.isLasting === true) throw lastFailure;
    if (waitMs > 0) await sleep(clock, waitMs, ending.signal);
    tell({ phase: "connecting" });
    try {
      const connection = await connectSsh({ ...options, sessionLimit }, ending.signal, (latencyMs) => {
        if (current === connection) tell({ phase: "ready", latencyMs });
      });
      failures = 0;
      sessionLimit.renew();
      current = connection;
      tell({ phase: "ready", latencyMs: connection.latencyMs });
      connection.lost.addEventListener("abort", () => broke(connection.lost.reason as SshError), { once: true });
      return connection;
    } catch (error) {
      if (error instanceof SshError) {
        lastFailure = error;
        // The first one after a failure need not wait much: a machine that restarts is missed for a moment only.
        notBeforeMs = clock.monotonic() + Math.min(baseMs * 2 ** failures++, mostMs) * (0.5 + random.next());
        broke(error);
      }
      throw error;
    }
  };

  const connection = (signal?: AbortSignal): Promise<SshConnection> => {
    if (ending.signal.aborted) return Promise.reject(ending.signal.reason as Error);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (current !== undefined && !current.lost.aborted) return Promise.resolve(current);
    connecting ??= attempt().finally(() => (connecting = undefined));
    // The same attempt serves many: one that gives up leaves it to the others.
    return untilAborted(connecting, signal);
  };

  const refuse = () => {
    if (!ending.signal.aborted) ending.abort(new SshError("Closed", `the way to ${nameOfMachine(options)} is closed`, false));
  };

  return {
    get state() {
      return state;
    },
    get sessionsLimit() {
      return sessionLimit.now;
    },
    onState(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    async use(act, signal) {
      const first = await connection(signal);
      try {
        return await act(first);
      } catch (error) {
        const isSafe = error instanceof SshError && error.failure === "Unreachable" && !error.mayHaveRun && first.lost.aborted;
        if (!isSafe || signal?.aborted === true) throw error;
        return await act(await connection(signal));
      }
    },
    refuse,
    close() {
      refuse();
      current?.close();
      listeners.clear();
    },
  };
}

import type { Run } from "./supervisor.ts";

/** A run's times by the server's clock. What is compared with now would otherwise be wrong by as much as the two clocks differ. */
export function inServerTime(run: Run, skewSeconds: number): Run {
  if (skewSeconds === 0) return run;
  const here = <T extends number | undefined>(seconds: T) => (seconds === undefined ? seconds : seconds - skewSeconds) as T;
  const { state } = run;
  return {
    ...run,
    startedAtSeconds: here(run.startedAtSeconds),
    state: state.kind === "running" ? { ...state, stopRequestedAtSeconds: here(state.stopRequestedAtSeconds) } : { ...state, atSeconds: here(state.atSeconds) },
  };
}

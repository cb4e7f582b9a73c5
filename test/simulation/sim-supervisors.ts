import { ProviderError, type Instance } from "../../src/providers/provider.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { SimEngine } from "../../src/providers/sim/sim-engine.ts";
import type { Run, RunSpec, Supervisor, Supervisors } from "../../controllers/service/supervisor.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What the files inside an instance would tell of a service's latest run. */
export type SimRun = Mutable<Run>;

export interface SimSupervisorOptions {
  readonly engine: SimEngine;
  readonly clock: Clock;
  readonly call: <T>(what: string, ask: () => Promise<T>) => Promise<T>;
  /** Told of each start, after it. */
  readonly onStart: (spec: RunSpec, instanceId: string) => void;
}

export function runsInside(engine: SimEngine, instanceId: string): Map<string, SimRun> {
  return (engine.instances.get(instanceId)?.inside ?? new Map()) as Map<string, SimRun>;
}

/** Supervises runs that are records in a simulated engine, where they outlive the control plane as processes do. */
export function createSimSupervisors({ engine, clock, call, onStart }: SimSupervisorOptions): Supervisors {
  let pids = 1000;
  const hints = new Set<(instanceId: string, service: string) => void>();
  const hint = (id: string, service: string) => {
    for (const each of hints) each(id, service);
  };
  const end = (run: SimRun, code: number) => {
    if (run.state.kind !== "running") return;
    run.state = { kind: "exited", code, atSeconds: Math.floor(clock.now() / 1000), stopRequested: run.state.stopRequestedAtSeconds !== undefined };
  };

  const supervisorOf = ({ id, startId }: Instance): Supervisor => {
    const inside = () => {
      const instance = engine.instances.get(id);
      if (instance?.state !== "running" || instance.startId !== startId) throw new ProviderError("NotRunning", `${id} does not run`, true);
      return runsInside(engine, id);
    };
    const copy = (run: SimRun): Run => ({ ...run });
    return {
      runs: () => call("runs", async () => [...inside().values()].map(copy)),
      start: (spec) =>
        call("start of a service", async () => {
          const runs = inside();
          const latest = runs.get(spec.service);
          if (latest?.state.kind === "running") return copy(latest);
          const run: SimRun = { service: spec.service, number: (latest?.number ?? 0) + 1, hash: spec.hash, startedAtSeconds: Math.floor(clock.now() / 1000), state: { kind: "running", pid: ++pids, stopRequestedAtSeconds: undefined } };
          runs.set(spec.service, run);
          onStart(spec, id);
          return copy(run);
        }),
      signal: (service, number, name) =>
        call("signal", async () => {
          const run = inside().get(service);
          if (run === undefined || run.number !== number || run.state.kind !== "running") return;
          if (name === "HUP") return;
          if (name === "TERM") run.state = { ...run.state, stopRequestedAtSeconds: run.state.stopRequestedAtSeconds ?? Math.floor(clock.now() / 1000) };
          end(run, name === "TERM" ? 143 : 137);
          hint(id, service);
        }),
      forget: (service) =>
        call("forget", async () => {
          if (inside().get(service)?.state.kind === "running") throw new ProviderError("StillRunning", "its run is running", true);
          inside().delete(service);
        }),
      logs: () => Promise.reject(new ProviderError("NotSupported", "simulated runs have no logs", false)),
    };
  };
  return {
    of: (_provider, instance) => supervisorOf(instance),
    onHint: (listener) => void hints.add(listener),
    release: () => {},
    close: () => Promise.resolve(),
  };
}

/** A process ends by itself. */
export function exitRun(engine: SimEngine, clock: Clock, instanceId: string, service: string, code: number): void {
  const run = runsInside(engine, instanceId).get(service);
  if (run?.state.kind === "running") run.state = { kind: "exited", code, atSeconds: Math.floor(clock.now() / 1000), stopRequested: false };
}

import { timestamp } from "../../src/base/clock.ts";
import type { LastExit, Service, ServiceStatus } from "../../src/api/service.ts";
import { signalOf } from "../exit-words.ts";
import type { ServiceObservation } from "./service-observation.ts";
import type { Run } from "./supervisor.ts";

export type Running = Extract<Run["state"], { kind: "running" }>;
export type Exited = Extract<Run["state"], { kind: "exited" }>;

/** A run this long wipes out the failures before it. */
export const steadyMs = 60_000;

export function runFacts(seen: ServiceObservation, run: Run, state: Running): Partial<ServiceStatus> {
  return {
    pid: state.pid, runNumber: run.number, runHash: run.hash, instanceStartId: seen.workspace?.status?.startId,
    startedAt: timestamp(run.startedAtSeconds * 1000),
  };
}

type ExitFacts = Partial<ServiceStatus> & { readonly lastExit: LastExit; readonly failures: number; readonly exitedAtMs?: number };

/** What an ended run adds to the status. Counted once: the status then names the run's end. */
export function exitFacts(service: Service, seen: ServiceObservation, run: Run, state: Exited): ExitFacts {
  const old = service.status;
  const finishedAt = state.atSeconds === undefined ? undefined : timestamp(state.atSeconds * 1000);
  const exitedAtMs = state.atSeconds === undefined ? seen.now : state.atSeconds * 1000;
  const counted = old?.runNumber === run.number && old.instanceStartId === seen.workspace?.status?.startId && old.pid === undefined;
  if (counted && old.lastExit !== undefined) return { lastExit: old.lastExit, failures: old.failures ?? 0, exitedAtMs };
  // Without a finishedAt it is the mark that planTerminate left: this run was stopped because it was unhealthy.
  const unhealthy = old?.runNumber === run.number && old.lastExit?.reason === "Unhealthy" && old.lastExit.finishedAt === undefined && state.stopRequested;
  const startedAt = timestamp(run.startedAtSeconds * 1000);
  const lastExit = unhealthy ? { ...describeExit(state), reason: "Unhealthy", message: old.lastExit!.message } : describeExit(state);
  const ranMs = exitedAtMs - run.startedAtSeconds * 1000;
  const before = ranMs >= steadyMs ? 0 : (old?.failures ?? 0);
  const failures = state.stopRequested && !unhealthy ? 0 : before + 1;
  return {
    pid: undefined, runNumber: run.number, runHash: run.hash, startedAt, failures, exitedAtMs,
    lastExit: { ...lastExit, startedAt, ...(finishedAt === undefined ? {} : { finishedAt }) },
  };
}

export function describeExit(state: Exited): LastExit {
  const { code, stopRequested } = state;
  if (code === undefined) return { reason: "Unknown", message: "ended unseen: its supervisor was killed" };
  const signal = signalOf(code);
  if (signal !== undefined) {
    return { code, signal, reason: stopRequested ? "Stopped" : "Signaled", message: `ended by ${signal}` };
  }
  if (stopRequested) return { code, reason: "Stopped", message: `stopped with exit code ${code}` };
  if (code === 0) return { code, reason: "Completed", message: "ended with exit code 0" };
  if (code === 127) return { code, reason: "CommandNotFound", message: "its command was not found in the workspace (exit code 127)" };
  return { code, reason: "Error", message: `ended with exit code ${code}` };
}

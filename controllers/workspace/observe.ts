import { timeoutSignal } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { keyOf } from "../../src/base/keys.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { ProviderError, type Instance, type Provider } from "../../src/providers/provider.ts";
import type { Machine } from "../machines.ts";
import { describeFailure, isSilence } from "../node/why-unknown.ts";
import { goingDown, serviceFinalizer } from "../service/plan-down.ts";
import type { WorkspaceDraft } from "./draft.ts";
import type { Eviction } from "./eviction.ts";
import { diskSizesOf, specHashOf } from "./instance-spec.ts";
import type { WorkspaceControllerParts } from "./parts.ts";
import { lastLinesOf } from "./why-ended.ts";
import type { WorkspaceObservation } from "./workspace-plan.ts";
import type { SnapshotsSeen } from "./plan-snapshots.ts";

const inspectTimeoutMs = 15_000;
const consoleTimeoutMs = 5000;
/** Of a console's end; a few lines of it are told. */
const consoleBytesMax = 4096;

/**
 * "silent": the machine says nothing at the moment, which changes nothing.
 * @param wasStarted in this very pass
 */
export async function observeInstance(parts: WorkspaceControllerParts, draft: WorkspaceDraft, machine: Machine, provider: Provider, eviction: Eviction | undefined, wasStarted: boolean, signal: AbortSignal): Promise<WorkspaceObservation | "silent"> {
  const { clock, instances } = parts;
  const specHash = specHashOf(draft.stored, provider);
  let instance: Instance | undefined;
  let snapshots: SnapshotsSeen | undefined;
  try {
    using bound = timeoutSignal(clock, inspectTimeoutMs, "asking the engine", signal);
    instance = await instances.inspect(provider, draft.instanceId, bound.signal);
    snapshots = await observeSnapshots(draft, provider, bound.signal);
  } catch (error) {
    if (signal.aborted) throw error;
    if (await isSilence(error, machine, signal)) return "silent";
    const reason = error instanceof ProviderError ? error.reason : "EngineUnreachable";
    return { instance: { kind: "unknown", reason, message: describeFailure(error, machine) }, specHash, difference: "", running: { names: [], graceSeconds: 0 }, now: clock.now() };
  }
  const down = goingDown(draft.stored) !== undefined || eviction !== undefined || (instance !== undefined && instance.specHash !== specHash);
  const running = down && instance?.state === "running" ? await servicesInTheWay(parts, draft.stored, machine, provider, instance, signal) : { names: [], graceSeconds: 0 };
  if (running === "silent") return running;
  // A startId on record means that it ran and nobody here stopped it: a stop takes the startId away.
  const hasEnded = !down && instance?.state === "stopped" && (wasStarted || draft.stored.status?.startId !== undefined);
  const end = hasEnded ? { lastLines: await lastLines(parts, provider, draft.instanceId, signal) } : undefined;
  return { instance: { kind: "known", instance }, end, specHash, difference: instance !== undefined && instance.generation === draft.stored.metadata.generation ? "it was asked for" : "its spec has changed", running, eviction, snapshots, disks: provider.growDisks === undefined ? undefined : diskSizesOf(draft.stored), now: clock.now() };
}

/** That they cannot be read is told in their place: it is no reason not to start it again. */
async function lastLines({ clock }: WorkspaceControllerParts, provider: Provider, id: string, signal: AbortSignal): Promise<readonly string[]> {
  try {
    using bound = timeoutSignal(clock, consoleTimeoutMs, "reading its console", signal);
    return lastLinesOf((await provider.console?.(id, consoleBytesMax, bound.signal)) ?? "");
  } catch (error) {
    if (signal.aborted) throw error;
    return [`(its console cannot be read: ${messageOf(error)})`];
  }
}

async function observeSnapshots({ stored, instanceId }: WorkspaceDraft, provider: Provider, signal: AbortSignal): Promise<SnapshotsSeen | undefined> {
  const { spec, status } = stored;
  const concerned = spec.snapshots.length > 0 || (status?.snapshots ?? []).length > 0;
  if (!concerned || isDeleting(stored)) return undefined;
  if (provider.snapshots === undefined) return { kind: "unsupported", message: `provider ${provider.name} keeps no snapshots` };
  return { kind: "known", found: await provider.snapshots.list(instanceId, signal) };
}

/**
 * Services that are not down yet: their process lives, as the instance itself tells, or their own loop has still to ask something of the instance
 * before it knows their end. That loop would meet a closed stream, and a machine takes long to end. Of an instance that runs and says nothing (its
 * kernel stands still, it has no room for another process), all count: the wait for them has an end, and then it is stopped all the same.
 */
async function servicesInTheWay(parts: WorkspaceControllerParts, workspace: Workspace, machine: Machine, provider: Provider, instance: Instance, signal: AbortSignal): Promise<WorkspaceObservation["running"] | "silent"> {
  const services = parts.services.byIndex("workspace", keyOf(workspace));
  if (services.length === 0) return { names: [], graceSeconds: 0 };
  let inTheWay = services;
  try {
    const runs = await parts.supervisors.of(provider, instance).runs(signal);
    inTheWay = services.filter((service) => !isKnownDown(service) || runs.some((run) => run.service === service.metadata.uid && run.state.kind === "running"));
  } catch (error) {
    if (signal.aborted) throw error;
    if (await isSilence(error, machine, signal)) return "silent";
  }
  return { names: inTheWay.map((each) => each.metadata.name), graceSeconds: inTheWay.reduce((sum, each) => sum + each.spec.terminationGracePeriodSeconds, 0) };
}

/** One that is deleted is down when its loop lets it go; one that its loop has not taken on yet was never started. */
function isKnownDown({ metadata, status }: Service): boolean {
  if (!(metadata.finalizers ?? []).includes(serviceFinalizer)) return true;
  return metadata.deletionTimestamp === undefined && status?.phase === "Stopped";
}

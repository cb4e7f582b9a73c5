import { Readable } from "node:stream";
import type { Supervisors } from "../../controllers/service/supervisor.ts";
import { sleep, type Clock } from "../base/clock.ts";
import type { NamespacedName } from "../base/keys.ts";
import { hasEndedForGood } from "../api/service-end.ts";
import { isNotFound, StatusError } from "../api/status-error.ts";
import type { LogOptions, ServiceLogs } from "../server/service-log.ts";
import type { Store } from "../store/store.ts";
import type { ExecStream } from "../transports/transport.ts";
import { runningInstance, type RunningInstanceParts } from "./running-instance.ts";

export interface ServiceLogsParts extends RunningInstanceParts {
  readonly store: Pick<Store, "get">;
  readonly supervisors: Supervisors;
  readonly clock: Clock;
}

/** How often a follower looks whether its service has ended for good, or is back in another start of its workspace. */
const lookMs = 500;
/** What a service said last has been read by its follower when it was seen to have ended this many times in a row. */
const endedLooks = 2;

/** A log that is open, and the start of the instance it is in. */
interface OpenLog {
  readonly stream: ExecStream;
  readonly startId: string | undefined;
}

/**
 * Finds where a Service runs and opens its log there. Following goes on over restarts of the service, by the log's own
 * doing, and over those of its workspace, by ours; it ends when the service has ended for good or is deleted.
 */
export function createServiceLogs(parts: ServiceLogsParts): ServiceLogs {
  return async (ref, { signal, ...options }) => {
    const log = await openLog(parts, ref, options, signal);
    if (options.follow !== true) {
      log.stream.stdin.end();
      return log.stream.stdout;
    }
    return Readable.from(followed(parts, ref, log, signal), { objectMode: false });
  };
}

async function openLog(parts: ServiceLogsParts, ref: NamespacedName, { follow = false, previous = false, tailLines }: LogOptions, signal: AbortSignal): Promise<OpenLog> {
  const service = await parts.store.get("Service", ref);
  const { provider, instance } = await runningInstance(parts, { namespace: ref.namespace, name: service.spec.workspace }, { cannot: `Cannot read the log of service "${ref.name}"`, subject: `its workspace "${service.spec.workspace}"` }, signal);
  const supervisor = parts.supervisors.of(provider, instance);
  if (previous) {
    const latest = (await supervisor.runs(signal)).find((run) => run.service === service.metadata.uid);
    if ((latest?.number ?? 0) < 2) throw new StatusError("BadRequest", `Cannot read the log of service "${ref.name}": it has no previous run since workspace "${service.spec.workspace}" was last started`);
  }
  const stream = await supervisor.logs(service.metadata.uid, { follow, previous, tailLines, signal });
  stream.stderr.resume();
  stream.stdout.once("close", () => stream.kill("SIGKILL"));
  return { stream, startId: instance.startId };
}

async function* followed(parts: ServiceLogsParts, ref: NamespacedName, first: OpenLog, signal: AbortSignal): AsyncGenerator<Buffer> {
  let log: OpenLog | undefined = first;
  while (log !== undefined) {
    const over = new AbortController();
    const watching = endWithService(parts, ref, log.stream, AbortSignal.any([signal, over.signal]));
    // It is heard of below; until then a failure must not be nobody's.
    watching.catch(() => {});
    try {
      yield* log.stream.stdout as AsyncIterable<Buffer>;
    } catch (error) {
      // The way to it broke: the next one tells how it goes on.
      if (signal.aborted) throw error;
    } finally {
      over.abort();
      log.stream.stdout.destroy();
      await watching;
    }
    const next = await nextLog(parts, ref, log, signal);
    if (next !== undefined && next.startId !== log.startId) yield Buffer.from("--- its workspace was started anew ---\n");
    log = next;
  }
}

/** Ends the following, by its stdin, once the service has ended for good. */
async function endWithService(parts: ServiceLogsParts, ref: NamespacedName, stream: ExecStream, signal: AbortSignal): Promise<void> {
  let ended = 0;
  while (!signal.aborted) {
    await sleep(parts.clock, lookMs, signal).catch(() => {
      // The loop's condition says it.
    });
    ended = !signal.aborted && (await isOver(parts, ref)) ? ended + 1 : 0;
    if (ended >= endedLooks) return void stream.stdin.end();
  }
}

/** Where the log goes on after its stream has ended; undefined: nowhere. */
async function nextLog(parts: ServiceLogsParts, ref: NamespacedName, last: OpenLog, signal: AbortSignal): Promise<OpenLog | undefined> {
  for (;;) {
    // First, so that a stream that ends as soon as it is opened is not opened without end.
    await sleep(parts.clock, lookMs, signal).catch(() => undefined);
    if (signal.aborted || (await isOver(parts, ref))) return undefined;
    try {
      // From the start of what is new; what the last one has shown is not shown again.
      const service = await parts.store.get("Service", ref);
      const startId = parts.workspaces.get({ namespace: ref.namespace, name: service.spec.workspace })?.status?.startId;
      if (startId !== undefined) return await openLog(parts, ref, { follow: true, ...(startId === last.startId ? { tailLines: 0 } : {}) }, signal);
    } catch {
      // Not there yet, or not any more: the next look tells.
    }
  }
}

async function isOver(parts: ServiceLogsParts, ref: NamespacedName): Promise<boolean> {
  try {
    return hasEndedForGood(await parts.store.get("Service", ref));
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}

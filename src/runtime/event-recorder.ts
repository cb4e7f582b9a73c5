import { sleep, timestamp, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Event } from "../api/event.ts";
import type { ObjectInput, StoredObject } from "../api/meta.ts";
import { isNotFound, StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { EventRecorder } from "./recorder.ts";
import type { Runnable } from "./runnable.ts";

export interface EventRecorderOptions {
  readonly store: Pick<Store, "create" | "patch">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Who reports: "vendetta". */
  readonly component: string;
}

/** Events waiting to be written; beyond it the oldest are dropped and counted. */
const queueEventsMax = 1000;
/** The same story within this long raises a count. */
const similarMs = 10 * 60_000;
/** Stories remembered for counting. */
const rememberedMax = 4096;
const messageCharactersMax = 1024;
/** At the stop, what is left is written, but not for longer than this. */
const flushMs = 2_000;

interface Told {
  readonly about: StoredObject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly at: string;
}

interface Remembered {
  readonly namespace: string;
  readonly name: string;
  count: number;
  lastMs: number;
}

/** Writes events in the background, one at a time, in order. */
export function createEventRecorder({ store, clock, random, log, component }: EventRecorderOptions): EventRecorder & Runnable {
  const queue: Told[] = [];
  const remembered = new Map<string, Remembered>();
  let dropped = 0;
  let wake: (() => void) | undefined;

  const write = async (told: Told) => {
    const { about, type, reason, message, at } = told;
    const story = [about.metadata.uid, type, reason, message].join("\0");
    const known = remembered.get(story);
    if (known !== undefined && clock.monotonic() - known.lastMs < similarMs) {
      known.count++;
      known.lastMs = clock.monotonic();
      try {
        await store.patch("Event", known, { type: "merge", patch: { count: known.count, lastTimestamp: at } });
        return;
      } catch (error) {
        // It was expired or deleted meanwhile: told anew.
        if (!isNotFound(error)) throw error;
      }
    }
    const namespace = about.metadata.namespace ?? "default";
    const name = `${about.metadata.name}.${random.uuid().replaceAll("-", "").slice(0, 16)}`;
    const event: ObjectInput<Event> = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name: about.metadata.name, uid: about.metadata.uid, ...(about.metadata.namespace === undefined ? {} : { namespace: about.metadata.namespace }) },
      reason, message, type, count: 1, firstTimestamp: at, lastTimestamp: at,
      source: { component },
      reportingComponent: component,
    };
    await store.create("Event", event);
    remembered.delete(story);
    remembered.set(story, { namespace, name, count: 1, lastMs: clock.monotonic() });
    if (remembered.size > rememberedMax) remembered.delete(remembered.keys().next().value!);
  };

  const drain = async () => {
    while (queue.length > 0) {
      const told = queue.shift()!;
      try {
        await write(told);
      } catch (error) {
        // A story is not worth stopping a loop for. A namespace that is gone has no readers either.
        if (!(error instanceof StatusError && ["NotFound", "Forbidden"].includes(error.reason))) log.warn("an event could not be written", { reason: told.reason, error: messageOf(error) });
      }
    }
    if (dropped > 0) log.warn("events were dropped: more came than can be written", { dropped });
    dropped = 0;
  };

  return {
    name: "event-recorder",
    phase: "sources",
    event(about, type, reason, message) {
      if (queue.length >= queueEventsMax) {
        queue.shift();
        dropped++;
      }
      queue.push({ about, type, reason, message: message.length > messageCharactersMax ? `${message.slice(0, messageCharactersMax - 1)}…` : message, at: timestamp(clock.now()) });
      wake?.();
    },
    async run(signal, ready) {
      ready();
      signal.addEventListener("abort", () => wake?.(), { once: true });
      while (!signal.aborted) {
        await drain();
        if (queue.length > 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => (wake = resolve));
        wake = undefined;
      }
      // Ended with the flush: a timer left behind would keep the process.
      const patience = new AbortController();
      await Promise.race([drain(), sleep(clock, flushMs, patience.signal).catch(() => {})]);
      patience.abort();
    },
  };
}

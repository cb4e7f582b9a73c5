import { sleep, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { lastSeen } from "../api/event-cells.ts";
import { isNotFound } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { Runnable } from "./runnable.ts";

/** As long as Kubernetes keeps them by default. */
const keptMs = 60 * 60_000;
const intervalMs = 60_000;
/** Events deleted a round; the rest follow in the next. */
const batchMax = 500;

/** Deletes Events that are older than an hour. */
export function createEventExpiry({ store, clock, log }: { readonly store: Pick<Store, "list" | "delete">; readonly clock: Clock; readonly log: Logger }): Runnable {
  return {
    name: "event-expiry",
    phase: "controllers",
    async run(signal, ready) {
      ready();
      while (!signal.aborted) {
        try {
          const { items } = await store.list("Event");
          const old = items.filter((event) => clock.now() - Date.parse(lastSeen(event) ?? event.metadata.creationTimestamp) > keptMs).slice(0, batchMax);
          for (const event of old) {
            await store.delete("Event", event.metadata).catch((error: unknown) => {
              if (!isNotFound(error)) throw error;
            });
          }
        } catch (error) {
          log.warn("old events could not be deleted", { error: messageOf(error) });
        }
        await sleep(clock, intervalMs, signal).catch(() => {
          // Stopped while waiting: the loop's condition ends it.
        });
      }
    },
  };
}

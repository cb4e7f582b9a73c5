import type { Event } from "../api/event.ts";
import { countOf, lastSeen, objectOf } from "../api/event-cells.ts";
import { humanDuration } from "../api/human-duration.ts";
import { cellText, type TextTable } from "./table-text.ts";

export function eventTime(event: Event): string {
  return lastSeen(event) ?? event.metadata.creationTimestamp;
}

/** Oldest first. Events tell whole seconds: within one, the order in which they were written is that in which they happened. */
export function byTime(events: readonly Event[]): readonly Event[] {
  return [...events].sort((a, b) => Date.parse(eventTime(a)) - Date.parse(eventTime(b)) || Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion));
}

export interface EventColumns {
  readonly namespace: boolean;
  readonly object: boolean;
}

export function eventTable(events: readonly Event[], nowMs: number, { namespace, object }: EventColumns): TextTable {
  return {
    header: [...(namespace ? ["NAMESPACE"] : []), "LAST SEEN", "TYPE", "REASON", ...(object ? ["OBJECT"] : []), "MESSAGE"],
    rows: events.map((event) => {
      const times = countOf(event) > 1 ? ` (x${countOf(event)})` : "";
      return [
        ...(namespace ? [cellText(event.metadata.namespace)] : []),
        humanDuration(nowMs - Date.parse(eventTime(event))) + times,
        cellText(event.type),
        cellText(event.reason),
        ...(object ? [cellText(objectOf(event))] : []),
        cellText(event.message),
      ];
    }),
  };
}

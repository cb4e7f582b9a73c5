import { humanDuration } from "./human-duration.ts";
import type { TableCell } from "./table.ts";

/** What of a core/v1 Event is shown. */
export interface ShownEvent {
  readonly metadata: { readonly name: string };
  readonly involvedObject: { readonly kind?: string | undefined; readonly name?: string | undefined; readonly fieldPath?: string | undefined };
  readonly type?: string | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly count?: number | undefined;
  readonly series?: { readonly count?: number | undefined; readonly lastObservedTime?: string | null | undefined } | undefined;
  readonly firstTimestamp?: string | null | undefined;
  readonly lastTimestamp?: string | null | undefined;
  readonly eventTime?: string | null | undefined;
  readonly source?: { readonly component?: string | undefined; readonly host?: string | undefined } | undefined;
  readonly reportingComponent?: string | undefined;
  readonly reportingInstance?: string | undefined;
}

/** When it last happened, RFC 3339: as the older clients and the newer ones tell it. */
export function lastSeen({ lastTimestamp, series, eventTime, firstTimestamp }: ShownEvent): string | undefined {
  return series?.lastObservedTime ?? lastTimestamp ?? firstTimestamp ?? eventTime ?? undefined;
}

/** How often it happened. */
export function countOf({ series, count }: ShownEvent): number {
  return (series?.count ?? count) || 1;
}

/** `workspace/dev`. */
export function objectOf({ involvedObject: { kind = "", name = "" } }: ShownEvent): string {
  return name === "" ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
}

/**
 * The cells of an Event, in the order of its columns, as the API server of Kubernetes prints them.
 * Source: k8s.io/kubernetes pkg/printers/internalversion, printEvent.
 */
export function eventCells(event: ShownEvent, nowMs: number): readonly TableCell[] {
  const { type = "", reason = "", message = "", involvedObject, source, reportingComponent, reportingInstance, firstTimestamp, eventTime, metadata } = event;
  const reporter = [source?.component || reportingComponent, source?.host || reportingInstance].filter((each) => each);
  return [
    age(lastSeen(event), nowMs), type, reason, objectOf(event), involvedObject.fieldPath ?? "", reporter.join(", "), message.trim(),
    age(firstTimestamp ?? eventTime ?? undefined, nowMs), countOf(event), metadata.name,
  ];
}

function age(time: string | undefined, nowMs: number): string {
  return time === undefined ? "<unknown>" : humanDuration(nowMs - Date.parse(time));
}

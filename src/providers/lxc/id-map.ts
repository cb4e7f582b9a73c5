/** Ids of the node that stand for 0 and up inside a container. */
export interface IdMap {
  readonly uidStart: number;
  readonly gidStart: number;
  readonly count: number;
}

/** Fewer, and an image's own users (nobody is 65534) would have no id. */
export const idsNeeded = 65_536;

/**
 * The node's first range for root that is long enough, in /etc/subuid and in /etc/subgid; undefined when either has none.
 * Source: subuid(5).
 */
export function idMapOf(subuid: string, subgid: string): IdMap | undefined {
  const uidStart = rangeOf(subuid);
  const gidStart = rangeOf(subgid);
  return uidStart === undefined || gidStart === undefined ? undefined : { uidStart, gidStart, count: idsNeeded };
}

function rangeOf(text: string): number | undefined {
  for (const line of text.split("\n")) {
    const [user, start, count] = line.trim().split(":");
    if ((user === "root" || user === "0") && Number(count) >= idsNeeded && Number(start) > 0) return Number(start);
  }
  return undefined;
}

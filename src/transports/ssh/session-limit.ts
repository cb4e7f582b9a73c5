import type { Clock } from "../../base/clock.ts";

/** Sessions that OpenSSH allows on one connection unless it is told otherwise (MaxSessions). Forwarded connections do not count. */
export const sessionsMaxDefault = 10;
/** After a refusal we keep to what was allowed for this long, and then try whether there is room for one more. */
const learnedMs = 60_000;

/** What we think of how many sessions at once a machine allows on one connection. What one connection learns holds for all. */
export interface SessionLimit {
  readonly now: number;
  /** So many were open at once on one connection. */
  allowed(open: number): void;
  /** One more than the machine wants was asked for. */
  refused(): void;
  /** A connection was made: the machine may have been told otherwise meanwhile, so what it once allowed proves nothing any more. */
  renew(): void;
}

export function createSessionLimit({ clock, sessionsMax = sessionsMaxDefault }: { readonly clock: Clock; readonly sessionsMax?: number | undefined }): SessionLimit {
  /** So many the machine certainly allows. */
  let proven = 0;
  let learned: { readonly limit: number; readonly untilMs: number } | undefined;
  return {
    get now() {
      if (learned === undefined) return sessionsMax;
      return clock.monotonic() < learned.untilMs ? learned.limit : Math.min(sessionsMax, Math.max(learned.limit, proven) + 1);
    },
    allowed(open) {
      proven = Math.max(proven, open);
    },
    refused() {
      // The machine may not have noticed yet that one has ended: what it once allowed, it will allow again.
      learned = { limit: Math.max(1, proven), untilMs: clock.monotonic() + learnedMs };
    },
    renew() {
      proven = 0;
    },
  };
}

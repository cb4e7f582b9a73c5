import type { Run } from "./supervisor.ts";

/** Fields of a "run" line of the control shell, see `controlScript`; undefined when it is not one. */
export function parseRun(fields: readonly string[]): Run | undefined {
  if (fields.length !== 10 || fields[0] !== "run") return undefined;
  const [, service, number, hash, began, lives, pid, stop, code, at] = fields as readonly [string, string, string, string, string, string, string, string, string, string];
  const stopAt = integer(stop);
  const base = { service, number: integer(number), hash, startedAtSeconds: integer(began) };
  if (base.number === undefined || base.startedAtSeconds === undefined) return undefined;
  const leader = integer(pid);
  if (lives === "1" && leader !== undefined) return { ...base, number: base.number, startedAtSeconds: base.startedAtSeconds, state: { kind: "running", pid: leader, stopRequestedAtSeconds: stopAt } };
  return { ...base, number: base.number, startedAtSeconds: base.startedAtSeconds, state: { kind: "exited", code: integer(code), atSeconds: integer(at), stopRequested: stop !== "-" } };
}

function integer(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

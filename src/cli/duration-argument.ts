import { CliError } from "./world.ts";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const msMax = 24 * 3_600_000;

/** Milliseconds of `60s`, `1m30s`, `500ms`, or a bare number of seconds; at most a day. @throws CliError */
export function durationArgument(text: string, option = "--timeout"): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  let ms: number | undefined;
  if (/^\d+(\.\d+)?$/.test(text)) ms = Number(text) * 1000;
  else if (parts.length > 0 && parts.map((part) => part[0]).join("") === text) ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit!]!, 0);
  if (ms === undefined) throw new CliError(`${option}: "${text}" is not a duration; write it like 60s, 1m30s or 500ms`);
  return Math.min(ms, msMax);
}

import type { CaseResult } from "./case-reporter.ts";

const suiteName = /^provider (\S+)( over SSH)?$/;
/** A provider that could not be asked is one case, which is skipped. */
const absentName = /^(docker|host|lxc|qemu)( over SSH)?$/;

/**
 * The cases of the providers' conformance suite as a table, from the results of one run: a line for each case, a column for each
 * provider on each transport. Skips have the numbers of their reasons, which are below. undefined: the suite was not run.
 */
export function providerMatrix(results: readonly CaseResult[]): string | undefined {
  const asked = results.filter(({ suite }) => suiteName.test(suite));
  const absent = results.filter(({ suite, name, result }) => suite === "" && result === "skipped" && absentName.test(name));
  if (asked.length + absent.length === 0) return undefined;
  const columns = [...new Set(asked.map(({ suite }) => suite))].sort();
  const rows = [...new Set(asked.map(({ name }) => name))];
  const reasons: string[] = [];
  const found = new Map(asked.map((each) => [`${each.suite}\n${each.name}`, each]));
  const cell = (suite: string, name: string): string => {
    const each = found.get(`${suite}\n${name}`);
    if (each === undefined) return "";
    if (each.result !== "skipped") return each.result === "passed" ? "✓" : "✗";
    if (!reasons.includes(each.reason)) reasons.push(each.reason);
    return `–${reasons.indexOf(each.reason) + 1}`;
  };
  const headOf = (name: string, pattern: RegExp) => name.replace(pattern, (_, provider: string, ssh: string | undefined) => `${provider}/${ssh === undefined ? "local" : "ssh"}`);
  const heads = columns.map((suite) => headOf(suite, suiteName));
  const caseWidth = Math.max(4, ...rows.map((each) => each.length));
  const line = (first: string, cells: readonly string[]) => `${first.padEnd(caseWidth)}  ${cells.map((each, i) => each.padEnd(heads[i]!.length)).join("  ")}`.trimEnd();
  const count = (result: CaseResult["result"]) => asked.filter((each) => each.result === result).length;
  const body = rows.map((name) => line(name, columns.map((suite) => cell(suite, name))));
  return [
    line("case", heads), ...body, "",
    ...reasons.map((reason, i) => `–${i + 1} skipped: ${reason === "" ? "nobody said why" : reason}`),
    ...absent.map(({ name, reason }) => `${headOf(name, absentName)} not run: ${reason}`),
    `${count("passed")} hold (✓), ${count("failed")} fail (✗), ${count("skipped")} skipped`,
  ].join("\n");
}

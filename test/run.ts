import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import type { CaseResult } from "./runner/case-reporter.ts";
import { runInLanes, type Job } from "./runner/lanes.ts";
import { runNodeTest, runToEnd, type Outcome } from "./runner/node-test.ts";
import { ownNetworkUnavailable } from "./runner/own-network.ts";
import { providerMatrix } from "./runner/provider-matrix.ts";
import { parseRunWish } from "./runner/test-file.ts";

/**
 * Runs every rung of the testing ladder with node's own runner, lowest first, and fails when a test left a process behind.
 * Arguments: parts of file names to keep; none keeps all. `VENDETTA_TEST_RUNGS=unit,e2e` keeps some rungs,
 * `VENDETTA_TEST_LANES=1` has the files of the upper rungs one after the other.
 */
interface Rung {
  readonly name: string;
  readonly timeoutMinutes: number;
}
/** They compute: as many files at once as there are cores. */
const lower: readonly Rung[] = [
  { name: "tidy", timeoutMinutes: 2 },
  { name: "unit", timeoutMinutes: 3 },
  { name: "property", timeoutMinutes: 3 },
];
/** They wait for real engines most of the time: their files share some lanes, each in a network of its own. */
const upper: readonly Rung[] = [
  { name: "conformance", timeoutMinutes: 10 },
  { name: "simulation", timeoutMinutes: 3 },
  { name: "e2e", timeoutMinutes: 10 },
];
const cores = availableParallelism();
const lanesCount = Number(process.env["VENDETTA_TEST_LANES"] ?? Math.min(cores + 1, 4));
if (!Number.isInteger(lanesCount) || lanesCount < 1) throw new Error(`VENDETTA_TEST_LANES must be a whole number from 1 on, and is "${process.env["VENDETTA_TEST_LANES"]}"`);
const lintTimeoutMs = 5 * 60_000;

const here = import.meta.dirname;
const wanted = process.argv.slice(2);
const wantedRungs = process.env["VENDETTA_TEST_RUNGS"]?.split(",");
const keeps = ({ name }: Rung) => wantedRungs === undefined || wantedRungs.includes(name);
const failed: string[] = [];
const totals = new Map<string, number>();
const cases: CaseResult[] = [];
const slowest: { readonly name: string; readonly seconds: number }[] = [];

function testFiles(rung: string): string[] {
  let names: string[];
  try {
    names = readdirSync(join(here, rung), { recursive: true, encoding: "utf8" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return names.filter((name) => name.endsWith(".test.js")).map((name) => join(here, rung, name)).filter((file) => wanted.length === 0 || wanted.some((part) => relative(here, file).includes(part))).sort();
}

function report(name: string, { passed, text, totals: own, seconds, cases: ownCases = [] }: Pick<Outcome, "passed" | "text" | "totals" | "seconds"> & Partial<Pick<Outcome, "cases">>): void {
  console.log(`\n── ${name}: ${passed ? "" : "failed, "}${seconds.toFixed(1)} s ──\n${text}`);
  if (!passed) failed.push(name);
  for (const [key, count] of Object.entries(own)) totals.set(key, (totals.get(key) ?? 0) + count);
  slowest.push({ name, seconds });
  cases.push(...ownCases);
}

async function lint(): Promise<void> {
  const begun = performance.now();
  const { code, said } = await runToEnd([process.execPath, join("node_modules", "eslint", "bin", "eslint.js"), "."], {}, lintTimeoutMs);
  report("lint", { passed: code === 0, text: said.trimEnd(), totals: {}, seconds: (performance.now() - begun) / 1000 });
}

const noNetwork = ownNetworkUnavailable();
if (noNetwork !== undefined) {
  if (process.env["CI"] === "true") throw new Error(`${noNetwork}; in CI that is a failure`);
  console.log(`test files share the machine's network, so those of the upper rungs run one after the other: ${noNetwork}`);
}
const ownNetwork = noNetwork === undefined;

/** One job a file, of all upper rungs at once: a lane that is done with one goes on with the next. */
const jobs: readonly Job[] = upper.filter(keeps).flatMap(({ name: rung, timeoutMinutes }) => testFiles(rung).map((file) => {
  const wish = parseRunWish(readFileSync(file, "utf8"));
  const name = relative(here, file).replace(/\.test\.js$/, "");
  return {
    name,
    wish,
    async run() {
      console.log(`… ${name}`);
      report(name, await runNodeTest({ files: [file], concurrency: 1, timeoutMinutes, ownNetwork }));
    },
  };
}));
const waiting = runInLanes(jobs.filter(({ wish }) => wish.lane === "beside"), 0);

const linting = wanted.length === 0 && wantedRungs === undefined ? lint() : undefined;
for (const { name, timeoutMinutes } of lower.filter(keeps)) {
  const files = testFiles(name);
  if (files.length > 0) report(name, await runNodeTest({ files, concurrency: cores, timeoutMinutes, ownNetwork }));
}
await linting;
await runInLanes(jobs.filter(({ wish }) => wish.lane !== "beside"), ownNetwork ? lanesCount : 1);
await waiting;
if (slowest.length === 0) failed.push("everything: no test file has such a name in such a rung");

const matrix = providerMatrix(cases);
if (matrix !== undefined) console.log(`\n── providers and transports ──\n${matrix}`);
console.log(`\n${slowest.sort((a, b) => b.seconds - a.seconds).slice(0, 10).map(({ name, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${name}`).join("\n")}`);
for (const [key, count] of totals) console.log(`ℹ ${key} ${count}`);
console.log(`ℹ after ${(performance.now() / 1000).toFixed(0)} s`);
console.log(failed.length === 0 ? "\nevery rung holds" : `\nfailed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

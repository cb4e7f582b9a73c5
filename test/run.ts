import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { leftBehind } from "./harness/left-behind.ts";

/**
 * Runs every rung of the testing ladder with node's own runner, lowest first, and fails when a test left a process behind.
 * Arguments: parts of file names to keep; none keeps all. `VENDETTA_TEST_RUNGS=unit,e2e` keeps some rungs.
 */
const rungs: readonly { readonly name: string; readonly concurrency: number; readonly timeoutMinutes: number }[] = [
  { name: "tidy", concurrency: 2, timeoutMinutes: 2 },
  { name: "unit", concurrency: 2, timeoutMinutes: 3 },
  { name: "property", concurrency: 2, timeoutMinutes: 3 },
  // From here on tests start real engines, and share the machine's two cores with them.
  { name: "conformance", concurrency: 1, timeoutMinutes: 5 },
  { name: "simulation", concurrency: 1, timeoutMinutes: 3 },
  { name: "e2e", concurrency: 1, timeoutMinutes: 10 },
];

const here = import.meta.dirname;
const wanted = process.argv.slice(2);
const wantedRungs = process.env["VENDETTA_TEST_RUNGS"]?.split(",");

function testFiles(rung: string): string[] {
  let names: string[];
  try {
    names = readdirSync(join(here, rung), { recursive: true, encoding: "utf8" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return names.filter((name) => name.endsWith(".test.js")).map((name) => join(here, rung, name)).filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part))).sort();
}

async function runRung(name: string, concurrency: number, timeoutMinutes: number, mark: string): Promise<boolean> {
  const files = testFiles(name);
  if (files.length === 0) return true;
  console.log(`\n── ${name}: ${files.length} files ──`);
  const child = spawn(process.execPath, ["--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec", `--test-timeout=${timeoutMinutes * 60_000}`, ...files], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, VENDETTA_TEST_RUN: mark },
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const left = leftBehind(mark);
  for (const { pid, command } of left) console.error(`left behind by ${name}: ${pid} ${command}`);
  return code === 0 && left.length === 0;
}

const mark = randomUUID();
const failed: string[] = [];
for (const { name, concurrency, timeoutMinutes } of rungs) {
  if (wantedRungs !== undefined && !wantedRungs.includes(name)) continue;
  if (!(await runRung(name, concurrency, timeoutMinutes, mark))) failed.push(name);
}
console.log(failed.length === 0 ? "\nevery rung holds" : `\nfailed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

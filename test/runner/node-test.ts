import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leftBehind } from "../harness/left-behind.ts";
import type { CaseResult } from "./case-reporter.ts";
import { inOwnNetwork } from "./own-network.ts";

export interface NodeTest {
  readonly files: readonly string[];
  /** How many files at once. */
  readonly concurrency: number;
  readonly timeoutMinutes: number;
  /** Whether it has a network of its own. */
  readonly ownNetwork: boolean;
}

export interface Outcome {
  readonly passed: boolean;
  /** All it said, without its totals. */
  readonly text: string;
  readonly totals: Totals;
  /** Of the cases that stand in no more than one suite, in their order. */
  readonly cases: readonly CaseResult[];
  readonly seconds: number;
}

/** What node's reporter counts, as it calls it: tests, pass, fail, skipped, … */
export type Totals = Readonly<Record<string, number>>;

const total = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo) (\d+)\n/gm;
/** Of what is said by one run of node's runner. */
const textCharactersMax = 8 * 1024 * 1024;
/** After its own time-out, node's runner has so long to end. */
const graceMs = 60_000;
/** So long after its end what a program said may still be on its way. */
const readMs = 5000;

/** Runs some files by node's own runner. Passed means: every test of theirs did, and no process of theirs is left. */
export async function runNodeTest({ files, concurrency, timeoutMinutes, ownNetwork }: NodeTest): Promise<Outcome> {
  const begun = performance.now();
  const mark = randomUUID();
  const timeoutMs = timeoutMinutes * 60_000;
  const dir = mkdtempSync(join(tmpdir(), "vd-cases-"));
  const casesFile = join(dir, "cases");
  const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout", `--test-reporter=${join(import.meta.dirname, "case-reporter.js")}`, `--test-reporter-destination=${casesFile}`];
  const plain = { argv: [process.execPath, "--test", `--test-concurrency=${concurrency}`, ...reporters, `--test-timeout=${timeoutMs}`, ...files], env: {} };
  const { argv, env } = ownNetwork ? inOwnNetwork(plain.argv) : plain;
  const { code, said } = await runToEnd(argv, { ...env, VENDETTA_TEST_RUN: mark }, timeoutMs * Math.ceil(files.length / concurrency) + graceMs);
  const left = leftBehind(mark);
  const cases = readCases(casesFile);
  rmSync(dir, { recursive: true });
  return {
    passed: code === 0 && left.length === 0,
    text: [said.replaceAll(total, "").replace(/^ℹ duration_ms .*\n/m, "").trimEnd(), ...left.map(({ pid, command }) => `left behind: ${pid} ${command}`)].join("\n"),
    totals: Object.fromEntries([...said.matchAll(total)].map(([, name, count]) => [name!, Number(count)])),
    cases,
    seconds: (performance.now() - begun) / 1000,
  };
}

/** A run that was killed may have left none, or half a line. */
function readCases(file: string): readonly CaseResult[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line) as CaseResult);
}

/**
 * Runs a program to its end; what it said on stdout and stderr, as it came. Killed for its time, it ends with code null.
 * Processes of its own that hold its output open are not waited for.
 */
export function runToEnd(argv: readonly string[], env: Readonly<Record<string, string>>, timeoutMs: number): Promise<{ readonly code: number | null; readonly said: string }> {
  return new Promise((resolve, reject) => {
    const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ["ignore", "pipe", "pipe"], env: { ...inherited, ...env }, timeout: timeoutMs, killSignal: "SIGKILL" });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-textCharactersMax)));
    child.on("error", reject);
    child.on("exit", (code) => {
      const unread = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, readMs);
      child.on("close", () => {
        clearTimeout(unread);
        resolve({ code, said });
      });
    });
  });
}

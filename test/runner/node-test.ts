import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { leftBehind } from "../harness/left-behind.ts";
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
  const plain = { argv: [process.execPath, "--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec", `--test-timeout=${timeoutMs}`, ...files], env: {} };
  const { argv, env } = ownNetwork ? inOwnNetwork(plain.argv) : plain;
  const { code, said } = await runToEnd(argv, { ...env, VENDETTA_TEST_RUN: mark }, timeoutMs * Math.ceil(files.length / concurrency) + graceMs);
  const left = leftBehind(mark);
  return {
    passed: code === 0 && left.length === 0,
    text: [said.replaceAll(total, "").replace(/^ℹ duration_ms .*\n/m, "").trimEnd(), ...left.map(({ pid, command }) => `left behind: ${pid} ${command}`)].join("\n"),
    totals: Object.fromEntries([...said.matchAll(total)].map(([, name, count]) => [name!, Number(count)])),
    seconds: (performance.now() - begun) / 1000,
  };
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

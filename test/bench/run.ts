import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/system.ts";
import { leftBehind } from "../harness/left-behind.ts";

/**
 * Runs the benchmarks one after the other, each in a process of its own. Arguments: parts of file names to keep; none keeps
 * all. A benchmark that fails, takes too long or leaves a process behind does not keep the others from running.
 */
const timeoutMinutes = 10;
const endMs = 5_000;

const here = import.meta.dirname;
const wanted = process.argv.slice(2);
const files = readdirSync(here).filter((name) => name.endsWith(".bench.js") && (wanted.length === 0 || wanted.some((part) => name.includes(part)))).sort();

async function runOne(file: string): Promise<boolean> {
  const mark = randomUUID();
  const child = spawn(process.execPath, [join(here, file)], { stdio: ["ignore", "inherit", "inherit"], timeout: timeoutMinutes * 60_000, killSignal: "SIGKILL", env: { ...process.env, VENDETTA_BENCH_RUN: mark } });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const left = leftBehind(mark);
  for (const { pid, command } of left) console.error(`left behind by ${file}: ${pid} ${command}`);
  if (left.length > 0) await end(mark);
  return code === 0 && left.length === 0;
}

/** Asked first, then forced: a Docker engine that is asked ends its containers. */
async function end(mark: string): Promise<void> {
  for (const { pid } of leftBehind(mark)) kill(pid, "SIGTERM");
  for (let waitedMs = 0; waitedMs < endMs && leftBehind(mark).length > 0; waitedMs += 100) await sleep(systemClock, 100);
  for (const { pid } of leftBehind(mark)) kill(pid, "SIGKILL");
}

function kill(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended in the meantime.
  }
}

console.log(`${availableParallelism()} x ${cpus()[0]?.model ?? "unknown processor"}, ${(totalmem() / 2 ** 30).toFixed(1)} GiB, Linux ${release()}, Node.js ${process.version}`);
if (files.length === 0) console.error(`no benchmark has ${wanted.join(" or ")} in its name`);
const failed: string[] = [];
for (const file of files) {
  console.log(`\n── ${file.replace(".bench.js", "")} ──`);
  if (!(await runOne(file))) failed.push(file);
}
if (failed.length > 0) console.log(`\nfailed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 && files.length > 0 ? 0 : 1;

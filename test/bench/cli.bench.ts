// What a command costs from start to end, beside Node.js doing nothing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeManifests } from "../e2e/stack.ts";
import { createTestCli, mainFile } from "../harness/cli.ts";
import { figure, ms, percentile, ratio, spread, timed } from "./figures.ts";

const rounds = 20;

const commands = {
  "node -e 0": ["-e", "0"],
  "vendetta --version": [mainFile, "--version"],
  "vendetta get nodes": [mainFile, "get", "nodes"],
  "vendetta get services": [mainFile, "get", "services"],
} as const;
type Name = keyof typeof commands;
const targets: Partial<Record<Name, string>> = { "vendetta --version": "<= 1.3x", "vendetta get nodes": "<= 1.6x" };

const cli = createTestCli();
try {
  // Wishes for a workspace that is not there: rows to print, and nothing that runs beside the measurement.
  const services = Array.from({ length: 5 }, (_, i) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `s${i}` }, spec: { workspace: "nowhere", command: ["true"] } }));
  await cli.ok("apply", "-f", writeManifests(cli.home, "services.yaml", services));
  const names = Object.keys(commands) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  const run = async (name: Name) => {
    const child = spawn(process.execPath, commands[name], { env: cli.env, stdio: "ignore" });
    const [code] = (await once(child, "exit")) as [number | null];
    if (code !== 0) throw new Error(`${name} ended with ${code}`);
  };
  // Round 0 warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const took = await timed(() => run(name));
      if (round > 0) samples[name].push(took);
    }
  }
  const bare = percentile(samples["node -e 0"], 0.5);
  for (const name of names) {
    figure(name, spread(samples[name]));
    const median = percentile(samples[name], 0.5);
    if (name !== "node -e 0") figure("  against node -e 0", `${ratio(median / bare)} (${ms(median - bare)} more)`, targets[name]);
  }
} finally {
  await cli.dispose();
}

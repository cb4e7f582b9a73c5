#!/usr/bin/env node
import { systemClock } from "./base/system.ts";
import { runCli } from "./cli/program.ts";

// Loaded by every command, so it names as little as it can: the server's parts come in only when a server is run.
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  clock: systemClock,
  runServer: async (paths, options) => {
    const { runServer } = await import("./compose/run-server.ts");
    await runServer(paths, options);
  },
  openAccess: async (options) => (await import("./compose/open-machine-access.ts")).openMachineAccess(options),
});

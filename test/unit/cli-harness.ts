import { dirname } from "node:path";
import { Readable, Writable } from "node:stream";
import type { MachineAccess } from "../../src/access/access.ts";
import { seededRandom } from "../../src/base/random.ts";
import { systemClock } from "../../src/base/system.ts";
import { runCli } from "../../src/cli/program.ts";
import type { CliWorld } from "../../src/cli/world.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { testServer, type TestServer } from "./server-harness.ts";

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  /** Columns of the terminal that stdout and stderr are; absent: they are pipes. */
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** The way into machines. Absent: there is none. */
  readonly access?: MachineAccess;
  /** Called with all of stdout whenever it has grown. */
  readonly onOutput?: (stdout: string) => void;
}

/** The command line in this process, against a server over a memory store. No controllers: what happens to objects, tests do. */
export interface CliServer extends TestServer {
  readonly home: string;
  run(args: string | readonly string[], options?: RunOptions): Promise<CliRun>;
}

export async function cliServer(options: Parameters<typeof testServer>[0] = {}): Promise<CliServer> {
  const store: Store = options.store ?? createMemoryStore({ clock: systemClock, random: seededRandom(1) });
  const server = await testServer({ ...options, store });
  const home = dirname(dirname(server.socketPath));
  return { ...server, home, run: (args, options) => runIn(home, args, options) };
}

export async function runIn(home: string, args: string | readonly string[], { stdin = "", signal = new AbortController().signal, columns, env, onOutput, access }: RunOptions = {}): Promise<CliRun> {
  const said = { stdout: "", stderr: "" };
  const output = (name: "stdout" | "stderr") =>
    Object.assign(new Writable({
      decodeStrings: false,
      write(chunk: string | Buffer, _encoding, done) {
        said[name] += chunk.toString();
        if (name === "stdout") onOutput?.(said.stdout);
        done();
      },
    }), columns === undefined ? {} : { isTTY: true, columns });
  const world: CliWorld = {
    env: { VENDETTA_HOME: home, VENDETTA_NO_AUTOSTART: "1", TERM: "xterm", ...env },
    stdin: Readable.from(stdin === "" ? [] : [Buffer.from(stdin)]),
    stdout: output("stdout"),
    stderr: output("stderr"),
    clock: systemClock,
    signal,
    runServer: () => Promise.reject(new Error("no server is run here")),
    openAccess: () => (access === undefined ? Promise.reject(new Error("no machine is reached here")) : Promise.resolve(access)),
  };
  const code = await runCli(typeof args === "string" ? args.split(" ") : args, world);
  return { code, ...said };
}

import type { Readable } from "node:stream";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import type { RunResult, Transport } from "../transports/transport.ts";

const errorCharactersMax = 500;
const outputBytesMax = 32 * 1024 * 1024;

/** What a caller of the server may have had set for a repository of its own: a git hook has. */
const foreignVariables = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_SSH_VARIANT"];

/**
 * Nobody is there to be asked: whoever needs a password has a credential helper or a key that needs none. And no address may name a
 * program; a path is a path. Sources: git(1), "Environment variables"; git-config(1), protocol.allow.
 */
const environment = { GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "false", SSH_ASKPASS: "false", SSH_ASKPASS_REQUIRE: "never", GCM_INTERACTIVE: "never", GIT_ALLOW_PROTOCOL: "file:git:http:https:ssh", GIT_HTTP_LOW_SPEED_LIMIT: "1000", GIT_HTTP_LOW_SPEED_TIME: "30", GIT_OPTIONAL_LOCKS: "0", GIT_LITERAL_PATHSPECS: "1", LC_ALL: "C" };

/** gc would go on in the background after the command that began it. */
const settings = ["core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false", "fetch.recurseSubmodules=false", "credential.interactive=false"];

/** git said no. The message is what it said. */
export class GitError extends Error {
  override readonly name = "GitError";
}

/** git commands on one bare repository. */
export interface Git {
  /** Its stdout. @throws GitError, TransportError, TimeoutError, the signal's reason */
  run(args: readonly string[], options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<string>;
  /** As `run`, of bytes and with a stdin. @throws also when there are more than `bytesMax` */
  bytes(args: readonly string[], options: { readonly stdin: string; readonly bytesMax: number; readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<Buffer>;
}

export function createGit(transport: Pick<Transport, "exec" | "run">, clock: Clock, directory: string): Git {
  const argv = (args: readonly string[]) => ["env", ...foreignVariables.flatMap((name) => ["-u", name]), "git", ...settings.flatMap((each) => ["-c", each]), `--git-dir=${directory}`, ...args];
  return {
    async run(args, { timeoutMs, signal }) {
      const result = await transport.run(argv(args), { env: environment, cwd: "/", timeoutMs, signal, outputBytesMax });
      if (result.code !== 0) throw new GitError(refusal(args, result));
      if (result.truncated) throw new GitError(`git ${args[0]} said more than ${outputBytesMax} bytes`);
      return result.stdout;
    },
    async bytes(args, { stdin, bytesMax, timeoutMs, signal }) {
      using bound = timeoutSignal(clock, timeoutMs, `git ${args[0]}`, signal);
      const stream = await transport.exec(argv(args), { env: environment, cwd: "/", signal: bound.signal });
      const [stdout, stderr] = [collect(stream.stdout, bytesMax), collect(stream.stderr, 64 * 1024)];
      stream.stdin.end(stdin);
      const { code, signal: ended } = await stream.exit;
      if (code !== 0) throw new GitError(refusal(args, { code, signal: ended, stderr: stderr().bytes.toString("utf8") }));
      const { bytes, whole } = stdout();
      if (!whole) throw new GitError(`git ${args[0]} said more than ${bytesMax} bytes`);
      return bytes;
    },
  };
}

function refusal(args: readonly string[], { code, signal, stderr }: Pick<RunResult, "code" | "signal" | "stderr">): string {
  if (code === 127) return "there is no program git on the server's machine";
  const said = stderr.split("\n").map((line) => line.replace(/^(fatal|error|warning): /, "").trim()).filter((line) => line !== "" && !line.startsWith("hint:")).join("; ");
  return said === "" ? `git ${args[0]} ended with ${code ?? signal}` : said.slice(0, errorCharactersMax);
}

function collect(stream: Readable, bytesMax: number): () => { readonly bytes: Buffer; readonly whole: boolean } {
  const chunks: Buffer[] = [];
  let kept = 0;
  let whole = true;
  stream.on("data", (chunk: Buffer) => {
    if (kept + chunk.length > bytesMax) whole = false;
    else {
      chunks.push(chunk);
      kept += chunk.length;
    }
  });
  return () => ({ bytes: Buffer.concat(chunks), whole });
}

import { Readable, Writable } from "node:stream";
import { ProviderError } from "../providers/provider.ts";
import type { RunningCommand } from "../server/commands.ts";

/** A command that could not be started, as a shell tells it. */
export interface StartFailure {
  /** 127: there is no such program; 126: it cannot be run. */
  readonly code: number;
  /** One line, without its end. */
  readonly text: string;
}

/** What an error of a provider's `exec` means for whoever wanted to run the command; undefined when it is of another kind. */
export function startFailureOf(error: unknown, program: string, workspace: string): StartFailure | undefined {
  if (!(error instanceof ProviderError)) return undefined;
  switch (error.reason) {
    case "CommandNotFound":
      return { code: 127, text: `${program}: not found in workspace "${workspace}"` };
    case "CommandNotExecutable":
      return { code: 126, text: `${program}: cannot be run in workspace "${workspace}"` };
    case "DirectoryNotFound":
      return { code: 126, text: `${program}: ${error.message}` };
    default:
      return undefined;
  }
}

/** A command that has ended with it. */
export function failedCommand({ code, text }: StartFailure, terminal: boolean): RunningCommand {
  const line = Readable.from([Buffer.from(lineOf(text, terminal))]);
  const nothing = () => Readable.from([]);
  return {
    stdin: new Writable({ write: (_chunk, _encoding, done) => done() }),
    ...(terminal ? { stdout: line, stderr: nothing() } : { stdout: nothing(), stderr: line }),
    exit: Promise.resolve({ code, signal: undefined }),
    kill() {},
  };
}

/** The command, telling like one of those when its engine learns only later that it could not be started. */
export function withStartFailure(command: RunningCommand, failureOf: (error: unknown) => StartFailure | undefined, terminal: boolean): RunningCommand {
  const failure = command.exit.then(() => undefined, failureOf);
  const exit = command.exit.catch(async (error: unknown) => {
    const found = await failure;
    if (found === undefined) throw error;
    return { code: found.code, signal: undefined };
  });
  // A caller that gave up on the streams may never ask for it.
  exit.catch(() => {});
  const told = (source: Readable) => Readable.from(thenLine(source, failure, terminal), { objectMode: false });
  return {
    ...command,
    ...(terminal ? { stdout: told(command.stdout) } : { stderr: told(command.stderr) }),
    exit,
  };
}

/** Its end is the command's, which is told by `exit` in any case. */
async function* thenLine(source: Readable, failure: Promise<StartFailure | undefined>, terminal: boolean): AsyncGenerator<Buffer> {
  yield* source as AsyncIterable<Buffer>;
  const found = await failure;
  if (found !== undefined) yield Buffer.from(lineOf(found.text, terminal));
}

const lineOf = (text: string, terminal: boolean) => `${text}${terminal ? "\r\n" : "\n"}`;

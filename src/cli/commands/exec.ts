import { attachCommand } from "../attached-command.ts";
import { commandTarget } from "../command-target.ts";
import type { Session } from "../session.ts";
import { CliError, ExitError } from "../world.ts";

export interface ExecOptions {
  readonly stdin?: boolean | undefined;
  readonly tty?: boolean | undefined;
}

/** Runs a command in a Workspace or beside a Service, and ends with its exit code. */
export async function exec(session: Session, word: string, argv: readonly string[], options: ExecOptions): Promise<void> {
  const { kind, name } = commandTarget(word);
  if (argv.length === 0) throw new CliError(`say what to run, after two dashes: vendetta exec -it ${word} -- sh`);
  const { world } = session;
  const stdin = options.stdin === true;
  const wantsTerminal = options.tty === true && stdin;
  const terminal = options.tty === true && (!wantsTerminal || world.stdin.isTTY === true);
  if (wantsTerminal && !terminal) session.tell("Unable to use a TTY - input is not a terminal or the right kind of file");
  const store = await session.connect();
  const command = await store.exec(kind, { namespace: session.namespace, name }, { argv, stdin, terminal }, session.signal);
  const code = await attachCommand(session, command, { stdin, terminal });
  if (code === 0) return;
  session.tell(`command terminated with exit code ${code}`);
  throw new ExitError(code);
}

import { attachCommand } from "../attached-command.ts";
import { commandTarget } from "../command-target.ts";
import { orInstead } from "../not-found.ts";
import type { Session } from "../session.ts";
import { CliError, ExitError } from "../world.ts";

export interface ExecOptions {
  readonly stdin?: boolean | undefined;
  readonly tty?: boolean | undefined;
}

/** A command as one may type it again; a long one, or with what a shell would read otherwise, is only meant. */
function asTyped(argv: readonly string[]): string {
  const text = argv.join(" ");
  return text.length <= 80 && argv.every((word) => /^[\w@%+=:,./-]+$/.test(word)) ? text : "COMMAND";
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
  const command = await orInstead(session, ({ kind: other }, _services, room) => `vendetta exec${room}${stdin ? " -i" : ""}${terminal ? " -t" : ""} ${other === "Service" ? `service/${name}` : name} -- ${asTyped(argv)}`, () =>
    store.exec(kind, { namespace: session.namespace, name }, { argv, stdin, terminal }, session.signal));
  const code = await attachCommand(session, command, { stdin, terminal });
  if (code === 0) return;
  session.tell(`command terminated with exit code ${code}`);
  throw new ExitError(code);
}

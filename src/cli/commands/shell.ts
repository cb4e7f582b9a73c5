import { attachCommand } from "../attached-command.ts";
import { commandTarget, type CommandTarget } from "../command-target.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { orInstead } from "../not-found.ts";
import type { Session } from "../session.ts";
import { CliError, ExitError } from "../world.ts";

export interface ShellOptions {
  /** Name of a Service in that Workspace, whose environment and directory the shell gets. */
  readonly service?: string | undefined;
}

/** The best shell that is there. It takes the place of the one that looks. */
const bestShell = ["sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh"];

/** An interactive shell in a Workspace. Ends with the shell's exit code, and says nothing of it, as ssh does. */
export async function shell(session: Session, word: string, options: ShellOptions): Promise<void> {
  const { stdin, stdout } = session.world;
  if (stdin.isTTY !== true || stdout.isTTY !== true) throw new CliError(`Cannot open a shell: ${stdin.isTTY === true ? "the output" : "the input"} is no terminal. In a script, run a command: vendetta exec ${options.service === undefined ? word : `service/${options.service}`} -- sh -c 'COMMAND'`);
  const store = await session.connect();
  const { kind, name } = await targetOf(session, store, commandTarget(word), options);
  const command = await orInstead(session, ({ kind: other }, _services, room) => `vendetta shell${room} ${other === "Service" ? `service/${name}` : name}`, () =>
    store.exec(kind, { namespace: session.namespace, name }, { argv: bestShell, stdin: true, terminal: true }, session.signal));
  const code = await attachCommand(session, command, { stdin: true, terminal: true });
  if (code !== 0) throw new ExitError(code);
}

async function targetOf({ namespace }: Session, store: HttpStore, target: CommandTarget, { service: name }: ShellOptions): Promise<CommandTarget> {
  if (name === undefined) return target;
  if (target.kind === "Service") throw new CliError(`service/${target.name} names a service already: leave --service out`);
  const service = await store.get("Service", { namespace, name });
  if (service.spec.workspace !== target.name) throw new CliError(`Service "${name}" runs in workspace "${service.spec.workspace}", not in "${target.name}": vendetta shell ${service.spec.workspace} --service ${name}`);
  return { kind: "Service", name };
}

import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import type { RemoteCommand } from "../../client/remote-command.ts";
import { kindOfWord } from "../kind-words.ts";
import type { Session } from "../session.ts";
import { CliError, ExitError, type Output } from "../world.ts";

export interface ExecOptions {
  readonly stdin?: boolean | undefined;
  readonly tty?: boolean | undefined;
}

/** Runs a command in a Workspace or beside a Service, and ends with its exit code. */
export async function exec(session: Session, target: string, argv: readonly string[], options: ExecOptions): Promise<void> {
  const { kind, name } = targetOf(target);
  if (argv.length === 0) throw new CliError(`say what to run, after two dashes: vendetta exec -it ${target} -- sh`);
  const { world } = session;
  const wantsTerminal = options.tty === true && options.stdin === true;
  const terminal = options.tty === true && (!wantsTerminal || world.stdin.isTTY === true);
  if (wantsTerminal && !terminal) session.tell("Unable to use a TTY - input is not a terminal or the right kind of file");
  const store = await session.connect();
  const command = await store.exec(kind, { namespace: session.namespace, name }, { argv, stdin: options.stdin === true, terminal }, session.signal);
  const restore = terminal ? followWindow(command, world.stdout) : undefined;
  // Typed keys, Ctrl-C among them, are the command's.
  const raw = terminal && options.stdin === true;
  if (raw) world.stdin.setRawMode?.(true);
  try {
    if (options.stdin === true) feed(command, session);
    const written = Promise.all([forward(command.stdout, world.stdout), forward(command.stderr, world.stderr)]);
    const code = await command.exit;
    await written;
    if (code === 0) return;
    session.tell(`command terminated with exit code ${code}`);
    throw new ExitError(code);
  } finally {
    restore?.();
    if (raw) world.stdin.setRawMode?.(false);
    world.stdin.pause();
    // Somebody else's pipe must not hold this command back now that it is over.
    world.stdin.unref?.();
  }
}

function targetOf(text: string): { readonly kind: "Workspace" | "Service"; readonly name: string } {
  const slash = text.indexOf("/");
  if (slash < 0) return { kind: "Workspace", name: text };
  const kind = kindOfWord(text.slice(0, slash));
  if (kind !== "Workspace" && kind !== "Service") throw new CliError(`commands run in a workspace or a service; "${text}" is neither`);
  return { kind, name: text.slice(slash + 1) };
}

function feed(command: RemoteCommand, { world: { stdin } }: Session): void {
  // The command may end before its input does; then nobody misses the rest.
  pipeline(stdin, command.stdin).catch(() => {});
}

async function forward(from: RemoteCommand["stdout"], to: Output): Promise<void> {
  for await (const chunk of from as AsyncIterable<Buffer>) if (!to.write(chunk)) await once(to as never, "drain");
}

function followWindow(command: RemoteCommand, stdout: Output): () => void {
  const tell = () => {
    if (stdout.columns !== undefined && stdout.rows !== undefined) command.resize(stdout.columns, stdout.rows);
  };
  tell();
  stdout.on("resize", tell);
  return () => stdout.off("resize", tell);
}

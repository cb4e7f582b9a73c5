import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import type { RemoteCommand } from "../client/remote-command.ts";
import type { Session } from "./session.ts";
import type { Output } from "./world.ts";

export interface AttachOptions {
  /** Hand this command's input on. */
  readonly stdin: boolean;
  /** The remote command has a terminal: ours is its window, and with `stdin` every key, Ctrl-C among them, is its own. */
  readonly terminal: boolean;
}

/** Connects a running command with this one's streams until it ends. @returns its exit code @throws StatusError when the way to it broke */
export async function attachCommand({ world }: Session, command: RemoteCommand, { stdin, terminal }: AttachOptions): Promise<number> {
  const restore = terminal ? followWindow(command, world.stdout) : undefined;
  const raw = terminal && stdin;
  if (raw) world.stdin.setRawMode?.(true);
  try {
    if (stdin) feed(command, world.stdin);
    const written = Promise.all([forward(command.stdout, world.stdout), forward(command.stderr, world.stderr)]);
    const code = await command.exit;
    await written;
    return code;
  } finally {
    restore?.();
    if (raw) world.stdin.setRawMode?.(false);
    world.stdin.pause();
    // Somebody else's pipe must not hold this command back now that it is over.
    world.stdin.unref?.();
  }
}

function feed(command: RemoteCommand, stdin: Session["world"]["stdin"]): void {
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

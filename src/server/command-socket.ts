import type { Readable } from "node:stream";
import type { WebSocket } from "ws";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { commandChannels, exitCodeOf, statusOfExit, statusOfFailure, type CommandStatus, type TerminalSize } from "../api/remote-command.ts";
import type { RunningCommand } from "./commands.ts";

/** Between asking a command whose caller has gone to end and forcing it. */
const goneGraceMs = 2000;
const resizeBytesMax = 1024;
const sideMax = 10_000;

export interface CommandSocketOptions {
  readonly stdin: boolean;
  readonly clock: Clock;
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

/**
 * Connects a command with its caller until one of them ends. A caller that goes ends the command; a caller that does not
 * read holds the command back. Never rejects.
 */
export async function serveCommand(socket: WebSocket, command: RunningCommand, { stdin, clock, stopping }: CommandSocketOptions): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  // What is said of the connection besides is that it closes.
  socket.on("error", () => socket.terminate());
  const onStop = () => socket.close(1001, "the server stops");
  if (stopping.aborted) onStop();
  else stopping.addEventListener("abort", onStop, { once: true });
  void closed.then(() => endCommand(command, clock));

  if (!stdin) command.stdin.end();
  // The command may end without reading what it is given.
  command.stdin.on("error", () => socket.resume());
  command.stdin.on("drain", () => socket.resume());
  command.stdin.on("close", () => socket.resume());
  socket.on("message", (data: Buffer) => {
    if (take(command, data, stdin) === "full") socket.pause();
  });

  try {
    await Promise.all([pump(command.stdout, socket, commandChannels.stdout), pump(command.stderr, socket, commandChannels.stderr)]);
    await send(socket, commandChannels.error, Buffer.from(JSON.stringify(await ending(command))));
    socket.resume();
    socket.close(1000);
  } catch {
    // Only sending fails here: nobody is there to be told.
    socket.terminate();
  }
  await closed;
  stopping.removeEventListener("abort", onStop);
}

/** How it ended, in the words of the protocol. Never rejects. */
export async function ending(command: RunningCommand): Promise<CommandStatus> {
  try {
    return statusOfExit(exitCodeOf(await command.exit));
  } catch (error) {
    return statusOfFailure(messageOf(error));
  }
}

function take(command: RunningCommand, data: Buffer, stdin: boolean): "full" | "taken" {
  const bytes = data.subarray(1);
  switch (data[0]) {
    case commandChannels.stdin:
      if (!stdin || !command.stdin.writable) return "taken";
      return command.stdin.write(bytes) ? "taken" : "full";
    case commandChannels.close:
      if (bytes[0] === commandChannels.stdin) command.stdin.end();
      return "taken";
    case commandChannels.resize: {
      const size = sizeOf(bytes);
      if (size !== undefined) command.resize?.(size.Width, size.Height);
      return "taken";
    }
    default:
      // A channel of a later protocol; Kubernetes' servers pass over them too.
      return "taken";
  }
}

/** A terminal's size as clients tell it; undefined when it is none. */
export function sizeOf(bytes: Buffer): TerminalSize | undefined {
  if (bytes.length > resizeBytesMax) return undefined;
  try {
    const { Width, Height } = JSON.parse(bytes.toString("utf8")) as Partial<TerminalSize>;
    const fits = (side: unknown): side is number => typeof side === "number" && Number.isInteger(side) && side > 0 && side < sideMax;
    return fits(Width) && fits(Height) ? { Width, Height } : undefined;
  } catch {
    // No size: the window stays as it is.
    return undefined;
  }
}

async function pump(source: Readable, socket: WebSocket, channel: number): Promise<void> {
  for await (const chunk of source as AsyncIterable<Buffer>) await send(socket, channel, chunk);
}

/** Resolves when the bytes have left for the kernel: that is the back-pressure. */
function send(socket: WebSocket, channel: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => socket.send(Buffer.concat([Buffer.of(channel), bytes]), (error) => (error ? reject(error) : resolve())));
}

/** Ends a command whose caller has gone: asked first, then forced. */
export async function endCommand(command: RunningCommand, clock: Clock): Promise<void> {
  command.stdin.destroy();
  command.kill("SIGTERM");
  using grace = timeoutSignal(clock, goneGraceMs, "the command");
  grace.signal.addEventListener("abort", () => command.kill("SIGKILL"), { once: true });
  await command.exit.catch(() => {
    // It is over; how no longer matters.
  });
}

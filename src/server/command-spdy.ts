import { PassThrough, type Duplex, type Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import type { RunningCommand } from "./commands.ts";
import { endCommand, ending, sizeOf } from "./command-socket.ts";
import { resetStatus } from "./spdy/frames.ts";
import { SpdySession, type SpdyStream } from "./spdy/session.ts";

/** The caller opens its streams within this time, and closes the connection within this time of the command's end. As kubelet. */
const openMsMax = 30_000;
const closeMsMax = 10_000;
const resizeLineBytesMax = 1024;

export interface SpdyCommandOptions {
  /** Streams the caller is going to open besides "error", by what it asked for. */
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly terminal: boolean;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/**
 * `serveCommand` for clients that speak SPDY/3.1 with `v4.channel.k8s.io`: a stream each for error, stdin, stdout, stderr
 * and resize. Never rejects. Source: k8s.io/client-go/tools/remotecommand, protocol v4.
 */
export async function serveSpdyCommand(transport: Duplex, command: RunningCommand, options: SpdyCommandOptions): Promise<void> {
  const { clock, stopping } = options;
  const expected = new Set(["error", ...(options.stdin ? ["stdin"] : []), ...(options.stdout ? ["stdout"] : []), ...(options.stderr && !options.terminal ? ["stderr"] : []), ...(options.terminal ? ["resize"] : [])]);
  const streams = new Map<string, SpdyStream>();
  let complete: () => void;
  const opened = new Promise<void>((resolve) => (complete = resolve));

  const session = new SpdySession(transport, (stream) => {
    // What is wrong with a stream shows where it is read or written.
    stream.on("error", () => {});
    const type = stream.headers["streamtype"] ?? "";
    if (!expected.has(type) || streams.has(type)) return stream.reset(resetStatus.protocolError);
    streams.set(type, stream);
    if (streams.size === expected.size) complete();
  });
  const onStop = () => session.close();
  stopping.addEventListener("abort", onStop, { once: true });

  // Read from the first moment: what a command that has ended said is dropped when nobody does.
  const output = { stdout: command.stdout.pipe(new PassThrough()), stderr: command.stderr.pipe(new PassThrough()) };
  const gone = session.run();
  {
    using bound = timeoutSignal(clock, openMsMax, "opening the streams");
    bound.signal.addEventListener("abort", () => transport.destroy(), { once: true });
    await Promise.race([opened, gone]);
  }
  const told = opened.then(() => carry(streams, command, output));
  await Promise.race([gone, told.then(() => hangUp(session, transport, clock, gone))]);
  await gone;
  await endCommand(command, clock);
  stopping.removeEventListener("abort", onStop);
}

/** Resolves when the caller has been told how the command ended, or cannot be told. */
async function carry(streams: ReadonlyMap<string, SpdyStream>, command: RunningCommand, output: Readonly<Record<"stdout" | "stderr", Readable>>): Promise<void> {
  const stdin = streams.get("stdin");
  // The command may end without reading what it is given.
  command.stdin.on("error", () => stdin?.unpipe(command.stdin).resume());
  command.stdin.on("close", () => stdin?.unpipe(command.stdin).resume());
  if (stdin === undefined) command.stdin.end();
  else stdin.pipe(command.stdin);
  const resize = streams.get("resize");
  if (resize !== undefined) readSizes(resize, command);

  const outputs = (["stdout", "stderr"] as const).map(async (name) => {
    const stream = streams.get(name);
    // What nobody asked for must still be read, or the command would stand still.
    if (stream === undefined) return void output[name].resume();
    output[name].pipe(stream);
    await finished(stream, { readable: false });
  });
  try {
    await Promise.all(outputs);
    const error = streams.get("error")!.resume();
    error.end(JSON.stringify(await ending(command)));
    await finished(error, { readable: false });
  } catch {
    // Only writing fails here: nobody is there to be told.
  }
  for (const stream of streams.values()) stream.resume();
}

/** One JSON object a line. */
function readSizes(stream: SpdyStream, command: RunningCommand): void {
  let text = "";
  stream.setEncoding("utf8").on("data", (part: string) => {
    const lines = (text + part).split("\n");
    text = lines.pop()!.slice(-resizeLineBytesMax);
    for (const line of lines) {
      const size = sizeOf(Buffer.from(line));
      if (size !== undefined) command.resize?.(size.Width, size.Height);
    }
  });
}

async function hangUp(session: SpdySession, transport: Duplex, clock: Clock, gone: Promise<void>): Promise<void> {
  session.close();
  using bound = timeoutSignal(clock, closeMsMax, "closing the connection");
  bound.signal.addEventListener("abort", () => transport.destroy(), { once: true });
  await gone;
}

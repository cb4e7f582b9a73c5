import type { Readable } from "node:stream";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import { execOutputBytesMax, type RunOptions, type RunResult, type Transport } from "./transport.ts";

/** `Transport.run` by means of its `exec`. */
export async function runCommand(clock: Clock, exec: Transport["exec"], argv: readonly string[], options: RunOptions): Promise<RunResult> {
  using bound = timeoutSignal(clock, options.timeoutMs, argv[0] ?? "a command without a name", options.signal);
  const { env, cwd } = options;
  const stream = await exec(argv, { env, cwd, signal: bound.signal });
  const bytesMax = options.outputBytesMax ?? execOutputBytesMax;
  const stdout = collect(stream.stdout, bytesMax);
  const stderr = collect(stream.stderr, bytesMax);
  stream.stdin.end(options.stdin ?? "");
  const { code, signal } = await stream.exit;
  return { code, signal, stdout: stdout.text(), stderr: stderr.text(), truncated: stdout.truncated() || stderr.truncated() };
}

function collect(stream: Readable, bytesMax: number) {
  const chunks: Buffer[] = [];
  let kept = 0;
  let dropped = false;
  stream.on("data", (chunk: Buffer) => {
    const room = bytesMax - kept;
    if (chunk.length > room) dropped = true;
    if (room > 0) chunks.push(chunk.subarray(0, room));
    kept += Math.min(chunk.length, room);
  });
  return { text: () => Buffer.concat(chunks).toString("utf8"), truncated: () => dropped };
}

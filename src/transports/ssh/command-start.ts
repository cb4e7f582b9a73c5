import type { Readable } from "node:stream";
import type { ClientChannel } from "ssh2";
import type { Clock } from "../../base/clock.ts";
import { TransportError } from "../transport.ts";
import type { ChannelEnd } from "./channel-end.ts";
import { noiseBytesMax, parseStart, type StartFailure, type StartMark } from "./remote-script.ts";
import type { SshConnection } from "./ssh-connection.ts";

/** Between a command's being sent and its saying that it begins. A login shell may think for a while. */
const startMsMax = 60_000;
/** The same for one that was cancelled meanwhile: it must be known to be ended. */
const cancelledMsMax = 5000;
/** Kept of what a shell said instead of beginning, for the message. */
const complaintBytesMax = 500;

/** The shell that was to become the command ended before it read of it. */
export class ShellEnded extends TransportError {}

interface Waiting {
  readonly clock: Clock;
  readonly connection: SshConnection;
  readonly channel: ClientChannel;
  readonly nonce: string;
  readonly hasStderr: boolean;
  readonly end: ChannelEnd;
  readonly signal: AbortSignal | undefined;
  readonly where: string;
  readonly program: string;
}

/**
 * Waits for the command to say that it begins, or why not. What the login shell said before is dropped; what comes after is left in the channel.
 * @throws ShellEnded (mayHaveRun false) when all its output has come and it never began, TransportError
 */
export async function awaitStart(waiting: Waiting): Promise<StartMark | StartFailure> {
  const { clock, connection, channel, nonce, hasStderr, end, signal, where, program } = waiting;
  const giveUp = new AbortController();
  const timers: Disposable[] = [clock.after(startMsMax, () => giveUp.abort(new TransportError(`${program} on ${where} did not begin within ${startMsMax} ms`, true)))];
  const onAbort = () => timers.push(clock.after(cancelledMsMax, () => giveUp.abort(signal!.reason)));
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort, { once: true });
  try {
    let said = "";
    const stderr = hasStderr ? upTo(channel.stderr, giveUp.signal, (text) => {
      const at = text.indexOf(`${nonce}+;`, 0, "latin1");
      if (at < 0) said = text.subarray(-complaintBytesMax).toString("utf8").trim();
      return at < 0 ? undefined : { value: true, rest: text.subarray(at + nonce.length + 2) };
    }) : undefined;
    stderr?.catch(() => {}); // It is asked for below, unless stdout has told enough.
    const stdout = upTo(channel, giveUp.signal, (text) => {
      const found = parseStart(text, nonce);
      return found === undefined ? undefined : { value: found.started, rest: found.rest };
    });
    const started = await connection.unlessLost(stdout, true);
    if (started === undefined) {
      await connection.unlessLost(end.closed, true);
      throw new ShellEnded(`cannot start ${program} on ${where}: its shell ended${end.status?.code === undefined ? "" : ` with ${end.status.code}`} before it began${said === "" ? "" : `: ${said}`}`, false);
    }
    if (typeof started === "string") abandon(channel);
    else if (stderr !== undefined) await connection.unlessLost(stderr, true);
    return started;
  } catch (error) {
    abandon(channel);
    throw error;
  } finally {
    for (const timer of timers) timer[Symbol.dispose]();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Reads until `find` finds; what follows is put back. Undefined when the stream ends before. */
function upTo<T>(stream: Readable, signal: AbortSignal, find: (text: Buffer) => { readonly value: T; readonly rest: Buffer } | undefined): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    let text = Buffer.alloc(0);
    const settle = () => {
      stream.off("data", onData);
      stream.off("end", onEnd);
      stream.pause();
      signal.removeEventListener("abort", onAbort);
    };
    const onData = (chunk: Buffer) => {
      // The mark is short: what is cut off in front of it is noise.
      text = Buffer.concat([text, chunk]);
      const found = find(text);
      if (found === undefined) {
        text = text.subarray(-noiseBytesMax);
        return;
      }
      settle();
      if (found.rest.length > 0) stream.unshift(found.rest);
      resolve(found.value);
    };
    const onEnd = () => {
      settle();
      resolve(undefined);
    };
    const onAbort = () => {
      settle();
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    stream.on("data", onData);
    stream.once("end", onEnd);
  });
}

function abandon(channel: ClientChannel): void {
  channel.close();
  channel.resume();
  channel.stderr.resume();
}

import { Duplex } from "node:stream";
import { TransportError, type ExecStream, type Transport } from "../transport.ts";
import { codeOfText } from "./dial-error.ts";
import { parseRelay, relayArgv, type RelayTarget } from "./relay-script.ts";

/** Kept of what a relay said before it was connected. */
const saidCharsMax = 4000;

/** What came of it: a connection, or the code of an error (ENOSYS: the machine has nothing that could). */
export type RelayResult = { readonly connection: Duplex } | { readonly code: string; readonly said: string };

/** Connects by means of a program on the machine. @throws TransportError, the signal's reason */
export async function relay(exec: Transport["exec"], target: RelayTarget, signal: AbortSignal): Promise<RelayResult> {
  const ending = new AbortController();
  const onAbort = () => ending.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const stream = await exec(relayArgv(target), { signal: ending.signal });
    let said = "";
    const answer = await new Promise<{ readonly code?: string }>((resolve, reject) => {
      stream.stderr.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-saidCharsMax);
        const parsed = parseRelay(said);
        if (parsed !== undefined) resolve(parsed);
      });
      stream.exit.then(() => resolve({ code: codeOfText(said) ?? "EIO" }), reject);
    });
    if (answer.code !== undefined) {
      stream.stdin.end();
      stream.stdout.resume();
      return { code: answer.code, said: said.trim() };
    }
    return { connection: duplexOfCommand(stream) };
  } catch (error) {
    ending.abort(error);
    throw error;
  } finally {
    // From now on the connection is ended by whoever has it.
    signal.removeEventListener("abort", onAbort);
  }
}

/** A command's stdin and stdout as one connection. */
function duplexOfCommand(stream: ExecStream): Duplex {
  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => void stream.stdout.resume(),
    write: (chunk: Buffer, _encoding, done) => void stream.stdin.write(chunk, done),
    final(done) {
      stream.stdin.end();
      done();
    },
    destroy(error, done) {
      // With both directions ended the program ends by itself, once it has handed on the last of what it was given.
      if (!duplex.writableFinished || !duplex.readableEnded) stream.kill();
      stream.stdout.resume();
      done(error);
    },
  });
  stream.stdout.on("data", (chunk: Buffer) => {
    if (!duplex.push(chunk)) stream.stdout.pause();
  });
  stream.stdout.once("end", () => duplex.push(null));
  // Whoever it is for may not listen yet.
  duplex.on("error", () => {});
  stream.exit.catch((error: unknown) => duplex.destroy(error instanceof Error ? error : new TransportError(String(error), true)));
  return duplex;
}

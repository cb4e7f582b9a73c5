import { Transform } from "node:stream";
import { ProviderError } from "../provider.ts";

/** How the engine begins what it writes, in the command's place, when it could not start it. */
const prefix = Buffer.from("OCI runtime exec failed:");
/** More than that is no message of the engine's. */
const messageBytesMax = 16 * 1024;

export interface StartFailureFilter {
  /** Takes what seems to be the command's stdout, and passes it on. */
  readonly stdout: Transform;
  /** What it held back so far: all that came, if that may be the engine's message; "" when it is not. */
  held(): string;
  /** After the end of what came: nothing is held back any more. */
  readonly settled: Promise<void>;
}

/**
 * The engine has accepted a command before it tries to start it, and tells of a failure only on the command's own stdout. What
 * may be that is held back until `isFailure` knows, at the stream's end.
 */
export function startFailureFilter(isFailure: () => Promise<boolean>): StartFailureFilter {
  let held: Buffer | undefined = Buffer.alloc(0);
  let settle = () => {};
  const settled = new Promise<void>((resolve) => (settle = resolve));
  const stdout = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (held === undefined) return done(null, chunk);
      held = Buffer.concat([held, chunk]);
      const length = Math.min(held.length, prefix.length);
      if (held.length <= messageBytesMax && held.subarray(0, length).equals(prefix.subarray(0, length))) return done();
      const all = held;
      held = undefined;
      done(null, all);
    },
    flush(done) {
      const all = held;
      const end = (text: Buffer | undefined) => {
        done(null, text);
        settle();
      };
      if (all === undefined || all.length === 0) return end(undefined);
      // Not known: then it is rather shown than lost.
      isFailure().then((failed) => end(failed ? undefined : all), () => end(all));
    },
  });
  // Nobody reads it any more.
  stdout.once("close", () => settle());
  return { stdout, held: () => held?.toString("utf8") ?? "", settled };
}

/** What the engine's message means; undefined: it names nothing that its user could have got wrong. The words are runc's, of several versions. */
export function startFailureOf(message: string, id: string, program: string, workingDir: string | undefined): ProviderError | undefined {
  if (!message.startsWith(prefix.toString())) return undefined;
  const made = (reason: string, text: string) => new ProviderError(reason, text, true, { cause: new Error(message.trim()) });
  if (/chdir to cwd/.test(message)) return made("DirectoryNotFound", `there is no directory ${workingDir ?? "to work in"} in ${id}`);
  if (/exec: .*(executable file not found|no such file or directory|not a directory)/.test(message)) return made("CommandNotFound", `there is no program ${program} in ${id}`);
  if (/exec: .*(permission denied|is a directory)|exec format error/.test(message)) return made("CommandNotExecutable", `${program} in ${id} is no program that can be run`);
  return undefined;
}

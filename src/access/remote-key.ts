import { codeOf, messageOf } from "../base/errors.ts";
import type { Transport } from "../transports/transport.ts";
import { AccessError } from "./access.ts";
import { hasKey, madeForKey, withKey, withoutKey, type AuthorizedKey, type MadeForKey } from "./authorized-keys.ts";

const commandMsMax = 20_000;
/** Of an authorized_keys file. */
const fileBytesMax = 1024 * 1024;

/** Says whether .ssh had to be made, and where the file really is, past links, as people keep theirs elsewhere. */
const locate = 'umask 077; cd && made= && { [ -d .ssh ] || { mkdir -p .ssh && made=made; }; } && chmod 700 .ssh && file=$PWD/.ssh/authorized_keys && if [ -L "$file" ]; then file=$(readlink -f "$file"); fi && printf "%s\n%s" "$made" "$file"';

/** What putting a key somewhere brought about there. */
export interface PutKey {
  /** False: the key was there already. */
  readonly changed: boolean;
  /** What was not there before. */
  readonly made: MadeForKey;
}

/** @throws AccessError */
export async function installKey(transport: Transport, key: AuthorizedKey, signal: AbortSignal): Promise<PutKey> {
  return await edit(transport, { what: "put the cluster's key into", change: (text, made) => withKey(text, key, made), isDone: (text) => hasKey(text, key), madeEarlier: () => ({ file: false, directory: false }) }, signal);
}

/** Whether the key was taken away: false when it was not there. What was made for it goes, too, if nothing else is in there. @throws AccessError */
export async function removeKey(transport: Transport, key: AuthorizedKey, signal: AbortSignal): Promise<boolean> {
  return (await edit(transport, { what: "take the cluster's key out of", change: (text) => withoutKey(text, key), isDone: (text) => !hasKey(text, key), madeEarlier: (text) => madeForKey(text, key) }, signal)).changed;
}

interface Edit {
  readonly what: string;
  /** @param made what is being made for it now */
  readonly change: (text: string, made: MadeForKey) => string;
  readonly isDone: (text: string) => boolean;
  /** What was made for what is being taken away, by the file's text before. */
  readonly madeEarlier: (text: string) => MadeForKey;
}

async function edit(transport: Transport, { what, change, isDone, madeEarlier }: Edit, signal: AbortSignal): Promise<PutKey> {
  try {
    const { code, stdout, stderr } = await transport.run(["sh", "-c", locate], { timeoutMs: commandMsMax, signal });
    if (code !== 0) throw new Error(stderr.trim() || `sh ended with exit code ${code}`);
    const [made, ...rest] = stdout.split("\n");
    const directory = made === "made";
    const path = rest.join("\n");
    const before = await read(transport, path);
    const earlier = madeEarlier(before ?? "");
    try {
      const after = change(before ?? "", { file: before === undefined, directory });
      if (after === (before ?? "")) return { changed: false, made: { file: false, directory: false } };
      if (after === "" && earlier.file) await transport.files.remove(path);
      else await transport.files.write(path, Buffer.from(after, "latin1"), 0o600);
      if (!isDone((await read(transport, path)) ?? "")) throw new Error("it was written, and is not as written; does another program keep that file?");
      return { changed: true, made: { file: before === undefined, directory } };
    } finally {
      // It stays when anything is in there.
      if (directory || earlier.directory) await transport.run(["sh", "-c", 'cd && rmdir .ssh 2>/dev/null; true'], { timeoutMs: commandMsMax, signal });
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new AccessError(`cannot ${what} ~/.ssh/authorized_keys: ${messageOf(error)}`, { cause: error });
  }
}

/** One character a byte; undefined when there is none. */
async function read(transport: Transport, path: string): Promise<string | undefined> {
  try {
    return Buffer.from(await transport.files.read(path, fileBytesMax)).toString("latin1");
  } catch (error) {
    if (codeOf(error instanceof Error ? error.cause : undefined) === "ENOENT") return undefined;
    throw error;
  }
}

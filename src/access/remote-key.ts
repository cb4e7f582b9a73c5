import { codeOf, messageOf } from "../base/errors.ts";
import type { Transport } from "../transports/transport.ts";
import { AccessError } from "./access.ts";
import { hasKey, withKey, withoutKey, type AuthorizedKey } from "./authorized-keys.ts";

const commandMsMax = 20_000;
/** Of an authorized_keys file. */
const fileBytesMax = 1024 * 1024;

/** Where the file really is, past links, as people keep theirs elsewhere; the directory is made before. */
const locate = 'umask 077; cd && mkdir -p .ssh && chmod 700 .ssh && file=$PWD/.ssh/authorized_keys && if [ -L "$file" ]; then file=$(readlink -f "$file"); fi && printf %s "$file"';

/** Whether the key was put there: false when it was there already. @throws AccessError */
export async function installKey(transport: Transport, key: AuthorizedKey, signal: AbortSignal): Promise<boolean> {
  return await edit(transport, "put the cluster's key into", (text) => withKey(text, key), (text) => hasKey(text, key), signal);
}

/** Whether the key was taken away: false when it was not there. @throws AccessError */
export async function removeKey(transport: Transport, key: AuthorizedKey, signal: AbortSignal): Promise<boolean> {
  return await edit(transport, "take the cluster's key out of", (text) => withoutKey(text, key), (text) => !hasKey(text, key), signal);
}

async function edit(transport: Transport, what: string, change: (text: string) => string, isDone: (text: string) => boolean, signal: AbortSignal): Promise<boolean> {
  try {
    const { code, stdout: path, stderr } = await transport.run(["sh", "-c", locate], { timeoutMs: commandMsMax, signal });
    if (code !== 0) throw new Error(stderr.trim() || `sh ended with exit code ${code}`);
    const before = await read(transport, path);
    const after = change(before);
    if (after === before) return false;
    await transport.files.write(path, Buffer.from(after, "latin1"), 0o600);
    if (!isDone(await read(transport, path))) throw new Error("it was written, and is not as written; does another program keep that file?");
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    throw new AccessError(`cannot ${what} ~/.ssh/authorized_keys: ${messageOf(error)}`, { cause: error });
  }
}

/** One character a byte. */
async function read(transport: Transport, path: string): Promise<string> {
  try {
    return Buffer.from(await transport.files.read(path, fileBytesMax)).toString("latin1");
  } catch (error) {
    if (codeOf(error instanceof Error ? error.cause : undefined) === "ENOENT") return "";
    throw error;
  }
}

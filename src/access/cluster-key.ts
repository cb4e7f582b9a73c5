import { link, mkdir, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2, { type ParsedKey } from "ssh2";
import { assert } from "../base/assert.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import { syncDirectory } from "../base/sync-directory.ts";
import { AccessError } from "./access.ts";
import type { AuthorizedKey } from "./authorized-keys.ts";

/** A key that the server gets into machines with. */
export interface ClusterKey {
  readonly file: string;
  /** In OpenSSH's format. */
  readonly privateKey: string;
  readonly authorized: AuthorizedKey;
}

const fileBytesMax = 16 * 1024;
const attemptsMax = 10;
/** How often this process has set about making a key. */
let keysBegun = 0;

/**
 * Reads one of the cluster's keys, `id_ed25519` in the directory (0700) unless another is named, and makes it (0600) when there is none. Of two who make it
 * at once, both get the one that was first.
 * @throws AccessError when it cannot be read, is no key, or is open to others
 */
export async function clusterKey(sshDir: string, cluster: string, name = "id_ed25519"): Promise<ClusterKey> {
  const file = join(sshDir, name);
  const comment = `vendetta-${cluster}`;
  const privateKey = (await read(file)) ?? (await make(sshDir, file, comment));
  const parsed = parseKey(privateKey);
  if (parsed instanceof Error || !parsed.isPrivateKey()) throw new AccessError(`${file} is no private key without a passphrase (${parsed instanceof Error ? parsed.message : "it is a public key"}); move it away, and one is made anew: 'vendetta node add' then puts that on each machine`);
  return { file, privateKey, authorized: { ...publicPart(parsed), comment } };
}

function publicPart(parsed: ParsedKey): Pick<AuthorizedKey, "type" | "base64"> {
  return { type: parsed.type, base64: parsed.getPublicSSH().toString("base64") };
}

const parseKey = (text: string): ParsedKey | Error => ssh2.utils.parseKey(text);

/** The line for authorized_keys, with its newline. */
export function publicLineOf(privateKey: string, comment: string): string {
  const parsed = parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  const { type, base64 } = publicPart(parsed);
  return `${type} ${base64} ${comment}\n`;
}

async function read(file: string): Promise<string | undefined> {
  try {
    const { mode, size } = await stat(file);
    if ((mode & 0o077) !== 0) throw new AccessError(`${file} can be read by others than you; if nobody did, run 'chmod 600 ${file}'`);
    if (size > fileBytesMax) throw new AccessError(`${file} is no private key: it has ${size} bytes`);
    return await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    if (error instanceof AccessError) throw error;
    throw new AccessError(`Cannot read the cluster's key ${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function make(sshDir: string, file: string, comment: string): Promise<string> {
  // Another call of this process may be at it, too.
  const temporary = `${file}.${process.pid}.${keysBegun++}.tmp`;
  try {
    await mkdir(sshDir, { recursive: true, mode: 0o700 });
    const handle = await open(temporary, "w", 0o600);
    try {
      await handle.chmod(0o600);
      await handle.writeFile(generateKey(comment));
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Not a rename: what somebody else made meanwhile is in use.
    await link(temporary, file).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    await syncDirectory(sshDir);
    const made = await readFile(file, "utf8");
    // For people, who may want to put it somewhere themselves.
    await writeFile(`${file}.pub`, publicLineOf(made, comment), { mode: 0o644 });
    return made;
  } catch (error) {
    throw new AccessError(`Cannot make the cluster's key ${file}: ${messageOf(error)}`, { cause: error });
  } finally {
    await rm(temporary, { force: true });
  }
}

/** A new private key in OpenSSH's format. ssh2 cuts leading zeros off a number, so that one ed25519 key in some hundreds is none that can be read. */
export function generateKey(comment: string): string {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const { private: privateKey, public: publicLine } = ssh2.utils.generateKeyPairSync("ed25519", { comment });
    const parsed = parseKey(privateKey);
    if (!(parsed instanceof Error) && parsed.isPrivateKey() && publicLine.split(" ")[1] === publicPart(parsed).base64) return privateKey;
  }
  assert(false, `of ${attemptsMax} keys none can be read`);
}

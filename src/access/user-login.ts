import { readFile } from "node:fs/promises";
import ssh2 from "ssh2";
import { codeOf, messageOf } from "../base/errors.ts";
import { SshError } from "../transports/ssh/ssh-error.ts";
import type { SshCredentials, SshIdentity } from "../transports/ssh/ssh-login.ts";
import { nameOfMachine } from "../transports/ssh/ssh-options.ts";
import { createSshTransport, type SshTransport } from "../transports/ssh/ssh-transport.ts";
import { AccessError, type AccessWish, type PinnedAddress, type SshMachine } from "./access.ts";
import { accessErrorOf } from "./access-error-of.ts";
import type { ClusterKey } from "./cluster-key.ts";
import type { Way } from "./host-keys.ts";

/** Since OpenSSH 9.8, sshd shuts out for a while whoever fails three times in a row. */
const passwordsMax = 2;

/** How somebody got in. */
export interface UserLogin {
  readonly transport: SshTransport;
  /** "the agent or a key", "password" … */
  readonly by: string;
}

/** A try with some of the credentials, on a connection of its own. */
interface Attempt {
  readonly by: string;
  credentials(): Promise<SshCredentials>;
}

/** Gets in as the user's ssh would, by the cluster's key, or by a password; the key that was asked for goes first. @throws AccessError naming what was tried */
export async function logInAsUser(machine: SshMachine, hostKey: string, cluster: ClusterKey, way: Way, wish: Pick<AccessWish, "person" | "password" | "signal">): Promise<UserLogin> {
  const { person, password, signal } = wish;
  const where = nameOfMachine(machine);
  const skipped: string[] = [];
  const tried: string[] = [];
  let offered: readonly string[] = [];

  const attempt = async ({ by, credentials }: Attempt): Promise<UserLogin | undefined> => {
    const transport = createSshTransport({ ...way, ...addressOf(machine), hostKeys: [hostKey], credentials: await credentials() });
    try {
      await transport.connect(signal);
      return { transport, by };
    } catch (error) {
      await transport.close();
      if (!(error instanceof SshError) || error.login === undefined) throw accessErrorOf(error, signal);
      tried.push(error.login.tried);
      offered = error.login.offered;
      return undefined;
    }
  };

  for (const each of await keyAttempts(machine, cluster, person, skipped)) {
    const login = await attempt(each);
    if (login !== undefined) return login;
  }
  const takesPassword = offered.some((method) => method === "password" || method === "keyboard-interactive");
  for (let count = 0; takesPassword && count < (password === undefined ? (person.isThere ? passwordsMax : 0) : 1); count++) {
    // Asked before the connection is made: the machine does not wait for who types.
    const text = password ?? (await person.secret(`${count > 0 ? "That was not taken. " : ""}Password of ${where}: `));
    const login = await attempt({ by: "password", credentials: () => Promise.resolve({ password: () => Promise.resolve(text) }) });
    if (login !== undefined) return login;
  }
  const handIn = takesPassword && !person.isThere && password === undefined ? "hand in the password with --password-stdin, or run this on a terminal; or " : "";
  const next = `${handIn}put a key of yours there (ssh-copy-id), add it to the agent (ssh-add), or name it with --identity`;
  throw new AccessError(`${where} let nobody in; tried: ${[...new Set([...tried, ...skipped])].join(", ")}; ${next}`, { failure: "LoginRefused" });
}

async function keyAttempts(machine: SshMachine, cluster: ClusterKey, person: AccessWish["person"], skipped: string[]): Promise<readonly Attempt[]> {
  const identities: SshIdentity[] = [];
  for (const file of machine.identityFiles) {
    if (file === machine.identity) continue;
    const privateKey = await readKey(file).catch((error: unknown) => void skipped.push(`key ${file} (${messageOf(error)})`));
    if (privateKey !== undefined) identities.push({ name: file, privateKey });
  }
  identities.push({ name: cluster.file, privateKey: cluster.privateKey });
  const attempts: Attempt[] = [];
  if (machine.identity !== undefined) {
    const identity = await namedIdentity(machine.identity, person);
    attempts.push({ by: `key ${identity.name}`, credentials: () => Promise.resolve({ identities: [identity] }) });
  }
  const { agentSocket } = machine;
  attempts.push({ by: agentSocket === undefined ? "a key" : "the agent or a key", credentials: () => Promise.resolve({ agentSocket, identities }) });
  // An agent with many keys uses up what attempts sshd allows on one connection.
  if (agentSocket !== undefined) attempts.push({ by: "a key", credentials: () => Promise.resolve({ identities }) });
  return attempts;
}

/** Undefined when there is none. */
async function readKey(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function namedIdentity(file: string, person: AccessWish["person"]): Promise<SshIdentity> {
  const privateKey = await readKey(file).catch((error: unknown) => {
    throw new AccessError(`Cannot read the key ${file}: ${messageOf(error)}`, { cause: error });
  });
  if (privateKey === undefined) throw new AccessError(`There is no key ${file}; name one that exists with --identity, or leave it out`);
  const parsed = ssh2.utils.parseKey(privateKey);
  if (!(parsed instanceof Error) || !/encrypted/i.test(parsed.message)) return { name: file, privateKey };
  if (!person.isThere) throw new AccessError(`The key ${file} has a passphrase, and nobody is there to be asked; run this on a terminal, or add the key to the agent (ssh-add)`);
  const passphrase = await person.secret(`Passphrase of ${file}: `);
  if (ssh2.utils.parseKey(privateKey, passphrase) instanceof Error) throw new AccessError(`That passphrase does not open ${file}`);
  return { name: file, privateKey, passphrase: () => Promise.resolve(passphrase) };
}

const addressOf = ({ host, port, user }: SshMachine) => ({ host, port, user });

/** Gets in by one key, as the server does. @throws AccessError */
export async function logInByKey({ host, port, user, hostKeys }: PinnedAddress, identity: SshIdentity, way: Way, signal: AbortSignal): Promise<SshTransport> {
  const transport = createSshTransport({ ...way, host, port, user, hostKeys, credentials: { identities: [identity] } });
  try {
    await transport.connect(signal);
    return transport;
  } catch (error) {
    await transport.close();
    throw accessErrorOf(error, signal);
  }
}

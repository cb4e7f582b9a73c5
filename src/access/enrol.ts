import { timeoutSignal } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { assert } from "../base/assert.ts";
import { hopsOf, type JumpReach, type SshReach } from "../api/ssh-reach.ts";
import { nameOfMachine } from "../transports/ssh/ssh-options.ts";
import type { SshTransport } from "../transports/ssh/ssh-transport.ts";
import { AccessError, type Enrolment, type EnrolWish, type PinnedAddress, type SshMachine } from "./access.ts";
import { accessErrorOf } from "./access-error-of.ts";
import type { ClusterKey } from "./cluster-key.ts";
import { acceptHostKey, type Way } from "./host-keys.ts";
import { knownHosts } from "./known-hosts.ts";
import { probeMachine, type EngineProbe } from "./machine-probe.ts";
import { installKey, removeKey, type PutKey } from "./remote-key.ts";
import { logInAsUser, logInByKey } from "./user-login.ts";

/** For taking a key away again, also after the user has given up. */
const undoMsMax = 30_000;

export interface EnrolParts {
  readonly way: Way;
  readonly home: string;
  readonly key: ClusterKey;
  readonly probeEngine: EngineProbe;
}

interface Installed {
  readonly where: string;
  readonly transport: SshTransport;
}

/** `MachineAccess.enrol`. */
export async function enrol(parts: EnrolParts, machine: SshMachine, wish: EnrolWish): Promise<Enrolment> {
  const { clock } = parts.way;
  const open: SshTransport[] = [];
  const installed: Installed[] = [];
  const close = async () => {
    // The last one goes through those before it.
    for (const transport of open.splice(0).reverse()) await transport.close();
  };
  const undo = async () => {
    using bound = timeoutSignal(clock, undoMsMax, "taking the key away again");
    const left: string[] = [];
    for (const { where, transport } of installed.splice(0).reverse()) {
      await removeKey(transport, parts.key.authorized, bound.signal).catch((error: unknown) => left.push(`${where} (${messageOf(error)})`));
    }
    if (left.length > 0) throw new AccessError(`the key was put there, and could not be taken away again from ${left.join(", ")}: remove the line that ends in ${parts.key.authorized.comment} from ~/.ssh/authorized_keys`);
  };

  try {
    const hops = hopsOf(machine);
    const known = wish.known === undefined ? [] : hopsOf<JumpReach>(wish.known);
    let way: SshReach | undefined;
    let last: SshTransport | undefined;
    for (const [i, hop] of hops.entries()) {
      const prefix = hop === machine ? "" : hops.length === 2 ? "jump: " : `jump ${i + 1}: `;
      const { pinned, transport } = await enterHop(parts, hop, wish, known[i]?.hostKeys, last, prefix, open, installed);
      way = { ...pinned, ...(way === undefined ? {} : { jump: way }) };
      last = transport;
    }
    assert(way !== undefined && last !== undefined, "a way has at least one machine");
    const there = last;
    const probed = await inStep("look", wish, () => probeMachine(there, clock, parts.probeEngine, { ...wish, engineMayBeMissing: wish.known !== undefined }, wish.signal));
    return { way, ...probed, changed: installed.length > 0, undo, close };
  } catch (error) {
    try {
      await undo();
    } catch (left) {
      throw new AccessError(`${messageOf(error)}; and ${messageOf(left)}`, { cause: error, ...(error instanceof AccessError ? { failure: error.failure } : {}) });
    } finally {
      await close();
    }
    throw error;
  }
}

/** One machine, to the point where the cluster's key lets in. What is opened and installed is entered in the lists at once. */
async function enterHop(parts: EnrolParts, machine: SshMachine, wish: EnrolWish, pinned: readonly string[] | undefined, through: SshTransport | undefined, prefix: string, open: SshTransport[], installed: Installed[]) {
  const { key, home } = parts;
  const way: Way = { ...parts.way, through };
  const { host, port, user } = machine;
  const where = nameOfMachine(machine);
  const step = <T extends { readonly text: string }>(name: string, act: () => Promise<T>) => toldStep(`${prefix}${name}`, wish, act);

  const { line } = await step("host key", async () => acceptHostKey(machine, { pinned, accepted: wish.acceptHostKeys, known: await knownHosts(home, host, port) }, way, wish));
  const address: PinnedAddress = { host, port, user, hostKeys: pinned === undefined ? [line] : [...pinned] };

  const { login } = await step("login", async () => {
    const found = await logInAsUser(machine, line, key, way, wish);
    open.push(found.transport);
    return { login: found, text: `${where}, by ${found.by}` };
  });
  await step("key", async () => {
    const put = await putKey(login.transport, key, wish.signal);
    if (put.changed) {
      installed.push({ where, transport: login.transport });
      return { text: `put into ~/.ssh/authorized_keys (${key.authorized.comment})` };
    }
    return { text: "is there already" };
  });
  const { transport } = await step("key login", async () => {
    try {
      const proved = await logInByKey(address, { name: key.file, privateKey: key.privateKey }, way, wish.signal);
      open.push(proved);
      return { transport: proved, text: `${where} takes the cluster's key` };
    } catch (error) {
      if (!(error instanceof AccessError) || error.failure !== "LoginRefused") throw error;
      throw new AccessError(`the key is in ~/.ssh/authorized_keys, and ${where} does not take it: look at AuthorizedKeysFile and PubkeyAuthentication in its sshd_config, and that only ${user} can write to the home there`, { cause: error, failure: "LoginRefused" });
    }
  });
  return { pinned: address, transport };
}

/** As `installKey`; a machine that lets nobody write may know the key from elsewhere. */
async function putKey(transport: SshTransport, key: ClusterKey, signal: AbortSignal): Promise<PutKey> {
  try {
    return await installKey(transport, key.authorized, signal);
  } catch (error) {
    if (error instanceof AccessError) throw new AccessError(`${error.message}; add this line to that file yourself, and try again: ${key.authorized.type} ${key.authorized.base64} ${key.authorized.comment}`, { cause: error });
    throw error;
  }
}

async function toldStep<T extends { readonly text: string }>(name: string, wish: EnrolWish, act: () => Promise<T>): Promise<T> {
  wish.onStep({ name, state: "running", text: "" });
  const done = await inStep(name, wish, act);
  wish.onStep({ name, state: "done", text: done.text });
  return done;
}

/** Says in the message of a failure which step it was. */
async function inStep<T>(name: string, { signal }: EnrolWish, act: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted();
    return await act();
  } catch (thrown) {
    const error = accessErrorOf(thrown, signal);
    if (!(error instanceof AccessError)) throw error;
    throw new AccessError(`step "${name}": ${error.message}`, { cause: error, failure: error.failure });
  }
}

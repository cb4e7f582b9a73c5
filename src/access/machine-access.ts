import { readFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { isAbsolute, resolve as resolvePath } from "node:path";
import { messageOf } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { hopsOf, type JumpReach, type SshReach } from "../api/ssh-reach.ts";
import { fingerprintOfPin } from "../transports/ssh/host-key.ts";
import { nameOfMachine } from "../transports/ssh/ssh-options.ts";
import type { SshTransport } from "../transports/ssh/ssh-transport.ts";
import { AccessError, type AccessOptions, type AccessWish, type MachineAccess, type OpenWay, type PinnedAddress, type TrustedWay, type Withdrawal } from "./access.ts";
import { clusterKey, type ClusterKey } from "./cluster-key.ts";
import { enrol } from "./enrol.ts";
import { checkFingerprints, describePin, fileWord, learnHostKey, type Way } from "./host-keys.ts";
import type { EngineProbe } from "./machine-probe.ts";
import { keptThere } from "./kept-there.ts";
import { removeKey } from "./remote-key.ts";
import { readSshConfig, resolveMachine, usualKeys } from "./ssh-config.ts";
import { logInByKey } from "./user-login.ts";

export interface MachineAccessParts extends AccessOptions {
  readonly random: Random;
  readonly probeEngine: EngineProbe;
}

/** Makes the cluster's key when there is none. @throws AccessError */
export async function createMachineAccess({ sshDir, cluster, env, clock, random, probeEngine }: MachineAccessParts): Promise<MachineAccess> {
  const home = env["HOME"] || homedir();
  const way: Way = { clock, random };
  const key = await clusterKey(sshDir, cluster);

  return {
    async resolve(target, { jump, identity } = {}) {
      const user = { home, name: env["USER"] || userInfo().username, agentSocket: env["SSH_AUTH_SOCK"] };
      const given = identity === undefined || isAbsolute(identity) ? identity : resolvePath(identity);
      return resolveMachine(target, await readSshConfig(home), user, await usualKeys(home), { jump, identity: given });
    },
    enrol(machine, wish) {
      checkFingerprints(wish.acceptHostKeys);
      return enrol({ way, home, key, probeEngine }, machine, wish);
    },
    open: (reach, signal) => openWay(reach, key, cluster, way, signal),
    trust(reach, wish) {
      checkFingerprints(wish.acceptHostKeys);
      return trust(reach, key, way, wish);
    },
  };
}

/** The key the server gets in with. */
async function identityOf(reach: SshReach, key: ClusterKey) {
  if (reach.identityFile === undefined) return { name: key.file, privateKey: key.privateKey };
  try {
    return { name: reach.identityFile, privateKey: await readFile(reach.identityFile, "utf8") };
  } catch (error) {
    throw new AccessError(`Cannot read the key of spec.ssh.identityFile: ${messageOf(error)}`, { cause: error });
  }
}

async function openWay(reach: SshReach, key: ClusterKey, cluster: string, way: Way, signal: AbortSignal): Promise<OpenWay> {
  const identity = await identityOf(reach, key);
  const open: { readonly machine: PinnedAddress; readonly transport: SshTransport }[] = [];
  const close = async () => {
    // Each goes through those before it.
    for (const { transport } of open.splice(0).reverse()) await transport.close();
  };
  try {
    for (const machine of hopsOf<JumpReach>(reach)) open.push({ machine, transport: await logInByKey(machine, identity, { ...way, through: open.at(-1)?.transport }, signal) });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    kept: () => keptThere(open.at(-1)!.transport, cluster, signal),
    async withdraw(jumpToo) {
      const done: Withdrawal[] = [];
      for (const { machine, transport } of open.toReversed()) {
        if (machine === reach || jumpToo(machine)) done.push({ where: nameOfMachine(machine), removed: await removeKey(transport, key.authorized, signal) });
      }
      return done;
    },
    close,
  };
}

async function trust(reach: SshReach, key: ClusterKey, way: Way, wish: AccessWish): Promise<TrustedWay> {
  const changes: { where: string; before: readonly string[]; now: string }[] = [];
  /** The keys to pin from now on. */
  const hop = async (address: PinnedAddress, through: SshTransport | undefined): Promise<string[]> => {
    const where = nameOfMachine(address);
    const shown = await learnHostKey(address, address.hostKeys, { ...way, through }, wish.signal);
    if (address.hostKeys.map(fingerprintOfPin).includes(shown.fingerprint)) return [...address.hostKeys];
    const before = address.hostKeys.map(describePin);
    const now = `${shown.type} ${shown.fingerprint}`;
    await vouched(where, before, shown, wish);
    changes.push({ where, before, now });
    return [shown.line];
  };
  const open: SshTransport[] = [];
  try {
    let trusted: JumpReach | undefined;
    for (const machine of hopsOf<JumpReach>(reach)) {
      trusted = { ...machine, hostKeys: await hop(machine, open.at(-1)), ...(trusted === undefined ? {} : { jump: trusted }) };
      if (machine !== reach) open.push(await logInByKey(trusted, await identityOf(reach, key), { ...way, through: open.at(-1) }, wish.signal));
    }
    return { way: { ...reach, ...trusted }, changes };
  } finally {
    for (const transport of open.reverse()) await transport.close();
  }
}

/** @throws AccessError unless the user vouches for the new key */
async function vouched(where: string, before: readonly string[], { type, fingerprint }: { readonly type: string; readonly fingerprint: string }, { acceptHostKeys, person }: AccessWish): Promise<void> {
  if (acceptHostKeys.some((each) => fingerprintOfPin(each) === fingerprint)) return;
  const keys = `${where} shows ${type} ${fingerprint}, pinned is ${before.join(" or ")}`;
  if (acceptHostKeys.length > 0) throw new AccessError(`${keys}, accepted was ${acceptHostKeys.join(" or ")}; nothing was changed`, { failure: "HostKeyRefused" });
  const own = `ssh-keygen -lf /etc/ssh/ssh_host_${fileWord(type)}_key.pub`;
  if (!person.isThere) throw new AccessError(`${keys}; compare with the machine's own ('${own}' there), then add --accept-host-key ${fingerprint}`, { failure: "HostKeyRefused" });
  if (!(await person.confirm(`${keys}.\nThe machine's own is told there by '${own}'. Is it the new one?`))) throw new AccessError(`the new host key of ${where} was not accepted; nothing was changed`, { failure: "HostKeyRefused" });
}

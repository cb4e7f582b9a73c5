import { fingerprintOfPin, hostKeyOf, type HostKey } from "../transports/ssh/host-key.ts";
import { SshError } from "../transports/ssh/ssh-error.ts";
import { nameOfMachine, type SshOptions } from "../transports/ssh/ssh-options.ts";
import { createSshTransport } from "../transports/ssh/ssh-transport.ts";
import { AccessError, type AccessWish, type SshAddress } from "./access.ts";
import type { KnownHost } from "./known-hosts.ts";
import { accessErrorOf } from "./access-error-of.ts";

export type Way = Pick<SshOptions, "clock" | "random" | "through">;

/** Asks the machine for its key, and hangs up before anything is said of who we are. @throws AccessError */
export async function learnHostKey(address: SshAddress, likely: readonly string[], way: Way, signal: AbortSignal): Promise<HostKey> {
  let shown: HostKey | undefined;
  const onHostKey = (key: HostKey) => {
    shown = key;
    return false;
  };
  const transport = createSshTransport({ ...way, ...address, hostKeys: [], likelyHostKeys: likely, onHostKey, credentials: {} });
  try {
    await transport.connect(signal);
  } catch (error) {
    if (shown === undefined || !(error instanceof SshError)) throw accessErrorOf(error, signal);
  } finally {
    await transport.close();
  }
  return shown!;
}

const known = (lines: readonly KnownHost[]) => lines.map((each) => `${fingerprintOfPin(each.line)} (${each.where})`).join(" or ");

export type HostKeyVerdict =
  | { readonly kind: "accepted"; readonly text: string }
  | { readonly kind: "refused"; readonly message: string }
  /** Nothing that is known speaks for it or against it: the user is to say. */
  | { readonly kind: "unknown" };

/** What is known of a machine before its key is seen. */
export interface HostKeyKnowledge {
  /** Of a Node that is on record: only these. */
  readonly pinned?: readonly string[] | undefined;
  /** Fingerprints the user vouches for. */
  readonly accepted: readonly string[];
  readonly known: readonly KnownHost[];
}

/** Pure. A fingerprint that the user names is stronger than known_hosts, and what is on record of a Node stronger than both. */
export function judgeHostKey({ type, fingerprint }: Pick<HostKey, "type" | "fingerprint">, { pinned, accepted, known: lines }: HostKeyKnowledge): HostKeyVerdict {
  const shows = `it shows ${type} ${fingerprint}`;
  const beware = "somebody may be in between, or the machine was made anew";
  const is = (line: string) => fingerprintOfPin(line) === fingerprint;
  if (pinned !== undefined) return pinned.some(is) ? { kind: "accepted", text: `${type} ${fingerprint}, as pinned` } : { kind: "refused", message: `${shows}, pinned is ${pinned.map(fingerprintOfPin).join(" or ")}; ${beware}` };
  const revoked = lines.find((each) => each.revoked && is(each.line));
  if (revoked !== undefined) return { kind: "refused", message: `${shows}, which ${revoked.where} has as @revoked` };
  if (accepted.some(is)) return { kind: "accepted", text: `${type} ${fingerprint}, as accepted` };
  const good = lines.filter((each) => !each.revoked);
  const match = good.find((each) => is(each.line));
  if (match !== undefined) return { kind: "accepted", text: `${type} ${fingerprint}, as in ${match.where}` };
  if (good.length > 0) return { kind: "refused", message: `${shows}, known is ${known(good)}; ${beware}: if it was, forget the old key (ssh-keygen -R) and try again` };
  if (accepted.length > 0) return { kind: "refused", message: `${shows}, accepted was ${accepted.map(fingerprintOfPin).join(" or ")}; compare with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_${fileWord(type)}_key.pub)` };
  return { kind: "unknown" };
}

/** As sshd names its key files. */
export const fileWord = (type: string) => (type.includes("ed25519") ? "ed25519" : type.startsWith("ecdsa") ? "ecdsa" : "rsa");

/** The key line to pin, and why it is trusted. @throws AccessError naming both fingerprints */
export async function acceptHostKey(address: SshAddress, knowledge: HostKeyKnowledge, way: Way, { person, signal }: Pick<AccessWish, "person" | "signal">): Promise<{ readonly line: string; readonly text: string }> {
  const likely = knowledge.pinned ?? knowledge.known.map((each) => each.line);
  const key = await learnHostKey(address, likely, way, signal);
  const verdict = judgeHostKey(key, knowledge);
  if (verdict.kind === "accepted") return { line: key.line, text: verdict.text };
  if (verdict.kind === "refused") throw new AccessError(`the host key is refused: ${verdict.message}`, { failure: "HostKeyRefused" });
  const where = nameOfMachine(address);
  const own = `ssh-keygen -lf /etc/ssh/ssh_host_${fileWord(key.type)}_key.pub`;
  if (!person.isThere) throw new AccessError(`the host key is unknown: it shows ${key.type} ${key.fingerprint}; compare that with the machine's own ('${own}' there), then add --accept-host-key ${key.fingerprint}`, { failure: "HostKeyRefused" });
  if (!(await person.confirm(`${where} shows the host key ${key.type} ${key.fingerprint}.\nThe machine's own is told there by '${own}'. Is it the same?`))) throw new AccessError("its host key was not accepted", { failure: "HostKeyRefused" });
  return { line: key.line, text: `${key.type} ${key.fingerprint}, accepted by you` };
}

/** Checks what was typed. @throws AccessError */
export function checkFingerprints(texts: readonly string[]): void {
  for (const text of texts) {
    try {
      fingerprintOfPin(text);
    } catch (error) {
      throw new AccessError(`"${text}" is no host key's fingerprint; write it as ssh-keygen -l prints it: SHA256:…`, { cause: error });
    }
  }
}

/** The type of a pin, when it tells: a public key line does. */
export function describePin(pin: string): string {
  const [type, base64] = pin.trim().split(/\s+/);
  return base64 === undefined ? pin : `${type} ${hostKeyOf(Buffer.from(base64, "base64")).fingerprint}`;
}

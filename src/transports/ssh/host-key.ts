import { createHash } from "node:crypto";

/** A machine's public key, as it shows itself. */
export interface HostKey {
  /** "ssh-ed25519" … */
  readonly type: string;
  /** As OpenSSH prints it: "SHA256:" and base64 without padding. */
  readonly fingerprint: string;
  /** As a line of known_hosts has it after the names: type and base64. The better pin: it tells the type to ask for. */
  readonly line: string;
}

/** By what a machine may sign, the best first. RSA only with SHA-2 (RFC 8332). */
const hostKeyAlgorithms = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256"] as const;

export type HostKeyAlgorithm = (typeof hostKeyAlgorithms)[number];

/** @param blob the key in the wire format of RFC 4253, 6.6 */
export function hostKeyOf(blob: Buffer): HostKey {
  const length = blob.length < 4 ? -1 : blob.readUInt32BE(0);
  if (length <= 0 || length > blob.length - 4) throw new RangeError("it is no SSH public key");
  const type = blob.toString("latin1", 4, 4 + length);
  return { type, fingerprint: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`, line: `${type} ${blob.toString("base64")}` };
}

/** A pin is a fingerprint, or a public key line with or without a comment. */
export function fingerprintOfPin(pin: string): string {
  const text = pin.trim();
  if (/^SHA256:[A-Za-z0-9+/]{43}=?$/.test(text)) return text.replace(/=$/, "");
  const [type, base64] = text.split(/\s+/);
  try {
    const key = hostKeyOf(Buffer.from(base64 ?? "", "base64"));
    if (key.type === type) return key.fingerprint;
  } catch {
    // Said below, with the pin itself.
  }
  throw new RangeError(`Cannot read the pinned host key "${pin}": neither SHA256:… nor an OpenSSH public key line`);
}

/** The algorithms to ask for: a machine has several keys, and should show the one that is pinned. Fingerprints do not tell which. */
export function algorithmsFor(pins: readonly string[]): HostKeyAlgorithm[] {
  const types = new Set(pins.map((pin) => pin.trim().split(/\s+/)[0]!));
  const isPinned = (algorithm: HostKeyAlgorithm) => types.has(algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
  return [...hostKeyAlgorithms.filter(isPinned), ...hostKeyAlgorithms.filter((each) => !isPinned(each))];
}

/** What keeps this key from being accepted; undefined when nothing does. */
export function refusalOf(key: HostKey, pins: readonly string[]): string | undefined {
  const pinned = pins.map(fingerprintOfPin);
  if (pinned.includes(key.fingerprint)) return undefined;
  if (pinned.length === 0) return `its host key is unknown: it shows ${key.type} ${key.fingerprint}, and none is pinned; compare it with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub) before you trust it`;
  return `its host key has changed: it shows ${key.type} ${key.fingerprint}, pinned is ${pinned.join(" or ")}; somebody may be in between, or the machine was made anew`;
}

import { systemClock as clock, systemRandom as random } from "../../src/base/system.ts";
import type { SshOptions } from "../../src/transports/ssh/ssh-options.ts";
import { createSshTransport, type SshTransport } from "../../src/transports/ssh/ssh-transport.ts";
import type { TestSshd } from "./sshd.ts";

/** How to get into a test's sshd, whose host key is pinned. */
export function sshOptions(sshd: TestSshd): SshOptions {
  return { host: "127.0.0.1", port: sshd.port, user: sshd.user, hostKeys: [sshd.hostKey], credentials: { identities: [{ name: sshd.keyFile, privateKey: sshd.privateKey }] }, clock, random };
}

export const sshTo = (sshd: TestSshd, more: Partial<SshOptions> = {}): SshTransport => createSshTransport({ ...sshOptions(sshd), ...more });

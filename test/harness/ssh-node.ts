import type { TestSshd } from "./sshd.ts";

export interface SshNodeOptions {
  /** Default: the sshd's own; a proxy's, to break the way. */
  readonly port?: number;
  readonly socketPath?: string;
}

/** A Node's manifest for a test's sshd, whose host key is pinned. */
export function sshNode(name: string, sshd: TestSshd, { port = sshd.port, socketPath = "/nonexistent/docker.sock" }: SshNodeOptions = {}): object {
  return {
    apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name, labels: { where: name } },
    spec: { ssh: { host: "127.0.0.1", port, user: sshd.user, hostKeys: [sshd.hostKey], identityFile: sshd.keyFile }, providers: { docker: { socketPath } } },
  };
}

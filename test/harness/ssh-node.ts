import type { TestSshd } from "./sshd.ts";

export interface SshNodeOptions {
  /** Default: the sshd's own; a proxy's on this machine, to break the way. */
  readonly port?: number;
  readonly socketPath?: string;
  /** The machine to go through first. It must let in the key of the one behind it. */
  readonly jump?: TestSshd;
}

/** A Node's manifest for a test's sshd, whose host key is pinned. */
export function sshNode(name: string, sshd: TestSshd, { port, socketPath = "/nonexistent/docker.sock", jump }: SshNodeOptions = {}): object {
  const reach = (to: TestSshd) => ({ host: to.host, port: to.port, user: to.user, hostKeys: [to.hostKey] });
  const way = port === undefined ? reach(sshd) : { ...reach(sshd), host: "127.0.0.1", port };
  return {
    apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name, labels: { where: name } },
    spec: { ssh: { ...way, ...(jump === undefined ? {} : { jump: reach(jump) }), identityFile: sshd.keyFile }, providers: { docker: { socketPath } } },
  };
}

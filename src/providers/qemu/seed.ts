import type { MachineRecord } from "./machine-record.ts";

export interface SeedParts {
  readonly id: string;
  readonly record: MachineRecord;
  /** Public key line that root is let in with. */
  readonly publicKey: string;
  /** What the machine's sshd shows, in OpenSSH's format. */
  readonly hostPrivateKey: string;
}

const q = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * The files of a NoCloud seed (cloud-init's documentation, "NoCloud"), as a disk with the label `cidata`; beside them the same as
 * plain files, for a machine that boots a kernel directly and has no cloud-init.
 */
export function seedFiles({ id, record, publicKey, hostPrivateKey }: SeedParts): Readonly<Record<string, string>> {
  const { hostname, env, engine, hostKey } = record;
  const exported = Object.entries(env).map(([name, value]) => `export ${name}=${q(value)}\n`).join("");
  // pam_env reads lines, without quotes or escapes that all of its versions agree on.
  const plain = Object.entries(env).filter(([, value]) => !/["'\\\n#$]/.test(value)).map(([name, value]) => `${name}=${value}\n`).join("");
  const userData = {
    hostname,
    preserve_hostname: false,
    disable_root: false,
    ssh_pwauth: false,
    users: [{ name: "root", lock_passwd: true, ssh_authorized_keys: [publicKey] }],
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: hostPrivateKey, ed25519_public: hostKey },
    growpart: { mode: "auto", devices: ["/"] },
    resize_rootfs: true,
    write_files: [
      { path: "/etc/profile.d/vendetta-environment.sh", permissions: "0644", content: exported },
      { path: "/etc/environment", permissions: "0644", content: plain, append: true },
    ],
    ...(engine.packages.length === 0 ? {} : { package_update: true, packages: engine.packages }),
    ...(engine.firstBootCommands.length === 0 ? {} : { runcmd: engine.firstBootCommands }),
  };
  return {
    // JSON is YAML, too.
    "user-data": `#cloud-config\n${JSON.stringify(userData, undefined, 1)}\n`,
    "meta-data": `${JSON.stringify({ "instance-id": id, "local-hostname": hostname })}\n`,
    "authorized_keys": `${publicKey}\n`,
    "ssh_host_ed25519_key": hostPrivateKey,
    "ssh_host_ed25519_key.pub": `${hostKey}\n`,
    "hostname": `${hostname}\n`,
    "environment": exported,
  };
}

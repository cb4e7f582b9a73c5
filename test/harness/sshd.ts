import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { userInfo, tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import type { TestNetwork } from "./network.ts";
import { freePort } from "./ports.ts";

const daemon = "/usr/sbin/sshd";

/** Why no sshd of our own can be started here; undefined when it can. With CI=true a lack is an error, not a skip. */
export function sshdUnavailable(): string | undefined {
  const why = process.getuid?.() !== 0 ? "an sshd of the test's own needs root" : !existsSync(daemon) ? "sshd is not installed (Debian: openssh-server)" : undefined;
  if (why !== undefined && process.env["CI"] === "true") throw new Error(`${why}; in CI that is a failure`);
  return why;
}

/** An sshd that the test started, with keys of its own. */
export interface TestSshd {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Private key that it lets in, in OpenSSH's format, and its file. */
  readonly privateKey: string;
  readonly keyFile: string;
  /** Public key line of the machine. */
  readonly hostKey: string;
  readonly directory: string;
  /** What it has said so far. */
  log(): string;
  /** Pids of its connections: sshd forks one process or two for each. */
  connections(): readonly number[];
  /** Gives it another host key, for the next start. */
  changeHostKey(): void;
  /** Kills the listener and all its connections. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes its traces. */
  stop(): Promise<void>;
}

export interface SshdOptions {
  /** More options, as after `-o`. */
  readonly options?: readonly string[];
  /** Default true. */
  readonly sftp?: boolean;
  /** The account's login shell, by its path. Default: dash. */
  readonly shell?: string;
  /** The account's home. Default: its own. */
  readonly home?: string;
  /** Where the keys are that it lets in. Default: a file of the test's, with its key. */
  readonly authorizedKeysFile?: string;
  /** The account's password. Default: none that anybody knows. */
  readonly password?: string;
  /** Where it runs and what it is reached by. Default: this machine's loopback interface. */
  readonly network?: TestNetwork;
}

/** @param name of a key file, made without a passphrase unless one is given */
export function makeKey(file: string, passphrase = "", type = "ed25519"): void {
  execFileSync("ssh-keygen", ["-q", "-t", type, "-N", passphrase, "-C", "test", "-f", file]);
}

export async function startSshd({ options = [], sftp = true, shell, home, password, authorizedKeysFile, network }: SshdOptions = {}): Promise<TestSshd> {
  mkdirSync("/run/sshd", { recursive: true });
  const directory = mkdtempSync(join(tmpdir(), "vd-sshd-"));
  const file = (name: string) => join(directory, name);
  const { username: user, homedir } = userInfo();
  // In a mount namespace of its own, sshd sees other accounts than the machine has.
  const accounts = `root:x:0:0:root:${home ?? homedir}:${shell ?? "/bin/dash"}\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`;
  writeFileSync(file("passwd"), accounts);
  writeFileSync(file("shadow"), `root:${password === undefined ? "*" : execFileSync("openssl", ["passwd", "-6", password], { encoding: "utf8" }).trim()}:19000:0:99999:7:::\n`, { mode: 0o600 });
  const inNamespace = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/shadow && shift 2 && exec "$@"', "sh", file("passwd"), file("shadow")];
  const host = network?.address ?? "127.0.0.1";
  const port = await freePort();
  makeKey(file("host"));
  makeKey(file("key"));
  writeFileSync(file("authorized_keys"), readFileSync(file("key.pub")));
  let child: ChildProcess | undefined;
  let said = "";

  const start = async () => {
    // Of an option that is given twice, sshd takes the first.
    const given = [...options, `Port=${port}`, `ListenAddress=${host}`, `AuthorizedKeysFile=${authorizedKeysFile ?? file("authorized_keys")}`, "StrictModes=no", "UsePAM=no", "PermitRootLogin=yes", "PidFile=none", "MaxStartups=100:30:200", ...(sftp ? ["Subsystem=sftp internal-sftp"] : [])];
    const argv = [...(network?.enter ?? []), ...inNamespace, daemon, "-D", "-e", "-f", "/dev/null", "-h", file("host"), ...given.flatMap((each) => ["-o", each])];
    child = spawn(argv[0]!, argv.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-100_000)));
    await eventually(async () => {
      if (child!.exitCode !== null) throw new Error(`sshd ended with ${child!.exitCode}: ${said}`);
      await greeted(host, port);
    }, 10_000, 20);
  };
  const connections = () => (child?.pid === undefined ? [] : descendants(child.pid));
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child!.once("exit", () => resolve()));
    const forked = connections();
    child.kill("SIGKILL");
    await ended;
    for (const pid of forked) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended with its parent.
      }
    }
  };
  await start();
  return {
    host,
    port,
    user,
    keyFile: file("key"),
    privateKey: readFileSync(file("key"), "utf8"),
    get hostKey() {
      return readFileSync(file("host.pub"), "utf8").trim();
    },
    directory,
    log: () => said,
    connections,
    changeHostKey() {
      rmSync(file("host"));
      rmSync(file("host.pub"));
      makeKey(file("host"));
    },
    kill,
    start,
    async stop() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** sshd processes below this one; what they run for their users is not among them. */
function descendants(root: number): number[] {
  const children = (pid: number): number[] => {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter((text) => text !== "").map(Number);
    } catch {
      return []; // It ended while we looked.
    }
  };
  const isSshd = (pid: number) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("sshd");
    } catch {
      return false;
    }
  };
  const found: number[] = [];
  for (let next = children(root); next.length > 0; next = next.flatMap(children)) {
    next = next.filter(isSshd);
    found.push(...next);
  }
  return found;
}

function greeted(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.setTimeout(1000, () => socket.destroy(new Error("no greeting")));
    socket.once("error", reject);
    socket.once("data", () => {
      socket.destroy();
      resolve();
    });
  });
}

import { homedir, tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";

/** Where one vendetta keeps everything it keeps. All absolute. */
export interface HomePaths {
  readonly home: string;
  /** The durable store. */
  readonly storeDir: string;
  /** The server's own log, and what else tells how it went. */
  readonly logDir: string;
  /** Unix socket of the API. */
  readonly socketPath: string;
  /** Who serves this home: see `server-record.ts`. */
  readonly serverFile: string;
  /** Keys, certificates and the token of the network edge: secrets. */
  readonly pkiDir: string;
  /** The cluster's own SSH key: `id_ed25519` (0600) and `id_ed25519.pub`. */
  readonly sshDir: string;
  /** Which port network clients know. */
  readonly networkFile: string;
  /** How clients of Kubernetes reach the server; holds the token. */
  readonly kubeconfigFile: string;
  /** What providers without an engine of their own keep of their instances. */
  readonly instancesDir: string;
  /** Repositories of manifests, as they were last fetched. */
  readonly sourcesDir: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A unix socket's path has room for 103 bytes (macOS) or 107 (Linux); some is left for a suffix. */
const socketPathBytesMax = 100;

/**
 * VENDETTA_HOME, or vendetta/ in the user's data directory (XDG Base Directory Specification). The socket lives in the
 * home; where that makes its path too long, in a short place of this user's own, named after the home.
 */
export function homePaths(env: Environment): HomePaths {
  const home = resolve(given(env["VENDETTA_HOME"]) ?? join(given(env["XDG_DATA_HOME"]) ?? join(given(env["HOME"]) ?? homedir(), ".local", "share"), "vendetta"));
  return {
    home,
    storeDir: join(home, "store"),
    logDir: join(home, "log"),
    socketPath: socketPathOf(home, env),
    serverFile: join(home, "server.json"),
    pkiDir: join(home, "pki"),
    sshDir: join(home, "ssh"),
    networkFile: join(home, "network.json"),
    kubeconfigFile: join(home, "kubeconfig"),
    instancesDir: join(home, "instances"),
    sourcesDir: join(home, "sources"),
  };
}

function socketPathOf(home: string, env: Environment): string {
  const own = join(home, "run", "api.sock");
  if (fits(own)) return own;
  // Not imported: nearly no path is that long, and every command would wait for it.
  const hash = process.getBuiltinModule("node:crypto").createHash("sha256").update(home).digest("hex").slice(0, 12);
  const runtime = given(env["XDG_RUNTIME_DIR"]);
  const short = runtime === undefined ? undefined : join(runtime, `vendetta-${hash}`, "api.sock");
  if (short !== undefined && fits(short)) return short;
  const uid = process.getuid?.();
  // Not the environment's TMPDIR: two commands with different ones must find the same server.
  return join(process.platform === "win32" ? tmpdir() : "/tmp", `vendetta-${uid ?? userInfo().username}-${hash}`, "api.sock");
}

const fits = (path: string) => Buffer.byteLength(path) <= socketPathBytesMax;
const given = (value: string | undefined) => (value === undefined || value === "" ? undefined : value);

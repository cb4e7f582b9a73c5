import { Agent } from "node:http";
import type { Duplex } from "node:stream";
import Docker, { type DockerOptions } from "dockerode";
import { timeoutSignal, type Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Transport } from "../../transports/transport.ts";
import { ProviderError, type Mount } from "../provider.ts";

const dialTimeoutMs = 10_000;
/** Idle connections to the engine kept for the next request. */
const idleSocketsMax = 4;

/** A dockerode that reaches the engine over the transport's own streams, wherever that engine is. */
export function createDockerClient({ transport, clock, socketPath }: { readonly transport: Transport; readonly clock: Clock; readonly socketPath: string }): Docker {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: idleSocketsMax });
  // Node's types know only the synchronous form; the callback form is documented beside it (http.Agent, "createConnection").
  agent.createConnection = ((_options: unknown, done: (error: Error | null, stream?: Duplex) => void) => {
    const bound = timeoutSignal(clock, dialTimeoutMs, `connecting to the Docker engine at ${socketPath}`);
    transport
      .dial({ socketPath }, bound.signal)
      .then(
        (stream) => {
          // Between two requests, and before the first, Node's agent does not always listen (lib/_http_agent.js says so of itself).
          stream.on("error", () => {});
          // HTTP has no use for a half-open connection, and the agent would keep it for a next request.
          stream.once("end", () => stream.end());
          done(null, asSocket(stream));
        },
        (error: unknown) => done(error as Error),
      )
      .finally(() => bound[Symbol.dispose]());
    return undefined;
  }) as unknown as Agent["createConnection"];
  // The host only fills the Host header; the agent decides where the bytes go.
  const options: DockerOptions & { readonly agent: Agent } = { host: "docker", port: 80, protocol: "http", agent };
  return new Docker(options);
}

/** What Node's HTTP client calls on a socket that it keeps; a stream over SSH has no such switches, and needs none. */
const socketSwitches = ["setKeepAlive", "setNoDelay", "setTimeout", "ref", "unref"] as const;

function asSocket(stream: Duplex): Duplex {
  for (const name of socketSwitches) if (!(name in stream)) Object.defineProperty(stream, name, { value: () => stream });
  return stream;
}

/** HTTP status of an engine's refusal, when it is one. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === "number" ? status : undefined;
}

/** What the engine itself said, without dockerode's wrapping. */
export function engineMessage(error: unknown): string {
  const json = (error as { json?: { message?: unknown } } | undefined)?.json;
  const text = typeof json?.message === "string" ? json.message : messageOf(error);
  return text.replace(/^Error response from daemon: /, "").trim();
}

/** Calls the engine, turning every failure into a ProviderError. Aborts reject with the signal's reason. */
export async function callEngine<T>(socketPath: string, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await call();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof ProviderError) throw error;
    const status = statusOf(error);
    if (status === undefined) throw new ProviderError("EngineUnreachable", `the Docker engine at ${socketPath} does not answer: ${reasonOf(error)}`, true, { cause: error });
    throw asProviderError(status, engineMessage(error), error);
  }
}

const missingSource = (path: string) => `spec.mounts: there is no hostPath ${path} on the node`;

/** The engine names a missing directory by its path alone: told by the field of the mount that asked for it. Any other error as it is. */
export function namingMount(error: unknown, mounts: readonly Mount[]): unknown {
  if (!(error instanceof ProviderError) || error.reason !== "MountSourceMissing") return error;
  const index = mounts.findIndex((mount) => mount.kind === "bind" && error.message.startsWith(`${missingSource(mount.source)};`));
  const mount = mounts[index];
  if (mount?.kind !== "bind") return error;
  const advice = error.message.slice(missingSource(mount.source).length);
  return new ProviderError(error.reason, `spec.mounts[${index}].hostPath: there is no ${mount.source} on the node${advice}`, error.retriable, { cause: error.cause });
}

function reasonOf(error: unknown): string {
  const cause = (error as { cause?: unknown }).cause;
  switch (codeOf(error) ?? codeOf(cause)) {
    case "ENOENT":
      return "there is no such socket; is Docker installed and started?";
    case "ECONNREFUSED":
      return "connection refused; start it ('systemctl start docker')";
    case "EACCES":
      return "permission denied; add your user to the group 'docker' and log in again";
    default:
      return messageOf(error);
  }
}

/** The engine tells causes only in prose; these are the ones that somebody can do something about. */
function asProviderError(status: number, message: string, cause: unknown): ProviderError {
  const port = /(?:Bind for|listen tcp4?|listen tcp) [\d.]*:?(\d+)?.*(?:port is already allocated|address already in use)/.exec(message);
  const made = (reason: string, text: string, retriable: boolean) => new ProviderError(reason, text, retriable, { cause });
  if (/port is already allocated|address already in use/.test(message)) return made("PortInUse", `a node port is already in use${port?.[1] === undefined ? "" : ` (${port[1]})`}: ${message}`, true);
  const source = /bind source path does not exist: (.+)$/.exec(message)?.[1];
  if (source !== undefined) return made("MountSourceMissing", `${missingSource(source)}; make it there, correct the manifest, or keep the Workspace on the machine that has it (spec.nodeName, or spec.nodeSelector {vendetta.dev/local: "true"} for the server's own)`, true);
  if (/docker-init.*(not found|no such file)/i.test(message)) return made("InitMissing", `docker-init is missing on the node, which comes with the engine (Debian: package docker.io or tini): ${message}`, true);
  const user = /unable to find (?:user|group) ([^ :]+)/.exec(message)?.[1];
  if (user !== undefined) return made("UserNotFound", `spec.user: the image has no ${user}; name a user or group that its /etc/passwd or /etc/group has, or a number`, true);
  if (/executable file not found|no such file or directory: unknown/.test(message)) return made("CommandNotFound", message, true);
  if (status === 404) return made("NotFound", message, true);
  if (status === 409 && /is not running|is paused/.test(message)) return made("NotRunning", message, true);
  if (status === 400) return made("InvalidSpec", message, false);
  return made(status === 409 ? "Conflict" : "EngineError", message, true);
}

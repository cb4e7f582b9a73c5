import { readFile } from "node:fs/promises";
import { sleep, type Clock } from "../base/clock.ts";
import { writeFileDurably } from "../base/durable-file.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import type { HomePaths } from "../base/home.ts";
import type { Logger } from "../base/log.ts";
import { parsePortWish } from "../base/port-wish.ts";
import type { NetworkState } from "../base/server-record.ts";
import { StatusError } from "../api/status-error.ts";
import { keepCredentials, type Credentials, type Rotation } from "../server/credentials.ts";
import type { EdgeOptions } from "../server/http-edge.ts";
import { kubeconfigText } from "../server/kubeconfig.ts";
import { listenOnLoopback, PortsTakenError, type NetworkListener } from "../server/network-listener.ts";
import type { Rotate } from "../server/rotation.ts";
import { portsToTry, readPort, writePort } from "./network-port.ts";

/** How often certificates are looked at. Not armed for their end: a machine that sleeps would sleep past it. */
const renewalCheckMs = 3600 * 1000;

export interface NetworkEdgeOptions extends EdgeOptions {
  readonly paths: Pick<HomePaths, "pkiDir" | "networkFile" | "kubeconfigFile">;
  /** What VENDETTA_PORT says: `parsePortWish`. Absent: as the last start. */
  readonly port: string | undefined;
}

/** The way of network clients: HTTPS, its credentials, and the kubeconfig that tells of both. */
export interface NetworkEdge {
  readonly state: NetworkState;
  readonly rotate: Rotate;
  /** Renews certificates in time until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Ends streams and stops listening. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens it at the port of the last start, or at another one when that is taken, and says so.
 * @throws Error when a port was asked for by number and cannot be had
 */
export async function openNetworkEdge(options: NetworkEdgeOptions): Promise<NetworkEdge> {
  const { paths, log } = options;
  const last = await readPort(paths.networkFile);
  const asked = options.port === undefined || options.port === "" ? undefined : parsePortWish(options.port);
  const wish = asked ?? (last === "off" ? "off" : "auto");
  if (wish === "off") {
    if (last !== "off") await writePort(paths.networkFile, "off");
    return closedEdge("Network clients are off; 'vendetta server start --port auto' lets them in again");
  }
  try {
    return await openAt(portsToTry(wish, last === "off" ? undefined : last), last === "off" || wish !== "auto" ? undefined : last, options);
  } catch (error) {
    if (error instanceof PortsTakenError) throw new Error(`${error.message}; choose another with 'vendetta server start --port PORT', or leave the choice to vendetta with '--port auto'`, { cause: error });
    if (wish !== "auto") throw error;
    // A machine without a loopback interface is no reason to leave workloads alone.
    const notice = `Network clients cannot reach this server: ${messageOf(error)}`;
    log.error("no network edge", { error: messageOf(error) });
    return closedEdge(notice);
  }
}

async function openAt(ports: readonly number[], last: number | undefined, { paths, ...options }: NetworkEdgeOptions): Promise<NetworkEdge> {
  const { clock, log } = options;
  const credentials = await keepCredentials(paths.pkiDir, clock.now(), log);
  const listener = await listenOnLoopback({ ...options, ports, credentials });
  try {
    const { port, addresses } = listener;
    const url = `https://127.0.0.1:${port}`;
    const notice = last === undefined || last === port ? undefined : `Port ${last} is taken by another process: HTTPS is at ${url} from now on, and the kubeconfig says so`;
    if (notice !== undefined) log.warn("the port was taken", { port: last, now: port });
    if (port !== last) await writePort(paths.networkFile, port);
    await keepKubeconfig(paths.kubeconfigFile, url, credentials);
    return createEdge(listener, { url, addresses, notice }, paths, { clock, log });
  } catch (error) {
    await listener.close();
    throw error;
  }
}

function createEdge(listener: NetworkListener, state: NetworkState & { readonly url: string }, paths: NetworkEdgeOptions["paths"], { clock, log }: { readonly clock: Clock; readonly log: Logger }): NetworkEdge {
  let last: Promise<unknown> = Promise.resolve();
  /** One at a time: a renewal must not write what a rotation has just replaced. */
  const renew = (rotation?: Rotation): Promise<void> => {
    const work = async () => {
      const credentials = await keepCredentials(paths.pkiDir, clock.now(), log, rotation);
      listener.use(credentials);
      await keepKubeconfig(paths.kubeconfigFile, state.url, credentials);
    };
    const done = last.then(work, work);
    last = done;
    return done;
  };
  return {
    state,
    async rotate({ authority }) {
      log.info("rotating credentials", { authority });
      await renew({ authority, serving: true, token: true });
    },
    async run(signal) {
      while (!signal.aborted) {
        await sleep(clock, renewalCheckMs, signal).catch(() => undefined);
        if (!signal.aborted) await renew().catch((error: unknown) => log.error("cannot renew certificates; tried again in an hour", { error: messageOf(error) }));
      }
      await last.catch(() => undefined);
    },
    close: () => listener.close(),
  };
}

function closedEdge(notice: string): NetworkEdge {
  return {
    state: { addresses: [], notice },
    rotate: () => Promise.reject(new StatusError("BadRequest", `Cannot replace credentials: ${notice}`)),
    run: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

async function keepKubeconfig(file: string, server: string, { authorityCertificate, token }: Credentials): Promise<void> {
  const before = await readFile(file, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  const text = kubeconfigText(before, { server, authorityCertificate, token });
  if (text !== before) await writeFileDurably(file, text);
}

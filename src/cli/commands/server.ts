import { messageOf } from "../../base/errors.ts";
import { parsePortWish } from "../../base/port-wish.ts";
import type { ServerRecord } from "../../base/server-record.ts";
import { isServing, liveRecord, serve, startServer, stopServer } from "../server-control.ts";
import { packageVersion } from "../package-info.ts";
import type { Session } from "../session.ts";
import { checkWatched, watchDirectory } from "../watched-directory.ts";
import { CliError, ExitError } from "../world.ts";

/** As `systemctl status` and the LSB have it. */
const notRunningCode = 3;

export interface ServerStartOptions {
  readonly foreground?: boolean | undefined;
  readonly port?: string | undefined;
  /** Directory of manifests that the cluster is to follow. */
  readonly watch?: string | undefined;
}

export async function serverStart(session: Session, { foreground, port, watch }: ServerStartOptions): Promise<void> {
  if (port !== undefined) checkPort(port);
  const watched = watch === undefined ? undefined : await checkWatched(watch);
  if (foreground === true) return await serve(session, port, watched);
  if (await isServing(session.paths, session.world.clock)) {
    const record = await liveRecord(session.paths);
    if (port !== undefined) throw new CliError("The vendetta server is already running, and keeps its port; run 'vendetta server stop' first");
    session.print(`The vendetta server is already running${record === undefined ? "" : ` (pid ${record.pid})`}.`);
  } else {
    const pid = await startServer(session, port);
    session.print(`The vendetta server is running (pid ${pid}).`);
  }
  if (watched !== undefined) await watchDirectory(session, await session.connect(), watched);
}

export async function serverRun(session: Session, { port, watch }: Pick<ServerStartOptions, "port" | "watch">): Promise<void> {
  if (port !== undefined) checkPort(port);
  await serve(session, port, watch === undefined ? undefined : await checkWatched(watch));
}

function checkPort(port: string): void {
  try {
    parsePortWish(port);
  } catch (error) {
    throw new CliError(messageOf(error), { cause: error });
  }
}

export async function serverStop(session: Session): Promise<void> {
  const pid = await stopServer(session);
  session.print(pid === undefined ? "No vendetta server runs." : `The vendetta server (pid ${pid}) has stopped. Workloads keep running; the next server takes them up again.`);
}

export async function serverStatus(session: Session, { output }: { readonly output?: string | undefined }): Promise<void> {
  if (output !== undefined && output !== "json") throw new CliError("-o of 'server status' is json");
  const { paths, world } = session;
  const record = await liveRecord(paths);
  let trouble: string | undefined;
  const running = await isServing(paths, world.clock, session.signal).catch((error: unknown) => {
    trouble = messageOf(error);
    return record !== undefined;
  });
  const known = running ? record : undefined;
  if (output === "json") {
    session.print(JSON.stringify({ running, ...(known === undefined ? {} : { pid: known.pid, version: known.version, startedAt: known.startedAt }), socketPath: known?.socketPath ?? paths.socketPath, ...(known?.network === undefined ? {} : { https: known.network }), home: paths.home, ...(trouble === undefined ? {} : { trouble }) }, undefined, 2));
    if (!running) throw new ExitError(notRunningCode);
    return;
  }
  const rows = [
    ["Server", running ? (trouble ?? "running") : "not running; 'vendetta server start' starts it"],
    ...(known === undefined ? [] : [["Pid", String(known.pid)], ["Version", known.version === packageVersion() ? known.version : `${known.version} (this command: ${packageVersion()}; restart the server)`], ["Since", known.startedAt]]),
    ["Socket", known?.socketPath ?? paths.socketPath],
    ...(known === undefined ? [] : [["HTTPS", httpsLine(known)]]),
    ["Home", paths.home],
    ["Log", `${paths.logDir}/server.log`],
  ];
  for (const [label, value] of rows) session.print(`${`${label}:`.padEnd(9)} ${value}`);
  if (!running) throw new ExitError(notRunningCode);
}

function httpsLine({ network }: ServerRecord): string {
  const { url, notice } = network ?? {};
  return [url, notice].filter((each) => each !== undefined).join("; ") || "none; the running server is of an older version";
}

export async function version(session: Session): Promise<void> {
  session.print(`Client: ${packageVersion()}`);
  // Asking for a version starts nothing.
  if (!(await isServing(session.paths, session.world.clock))) return session.print("Server: not running");
  const store = await session.connect();
  session.print(`Server: ${(await store.version()).gitVersion.replace(/^v/, "")}`);
}

import { spawn } from "node:child_process";
import { open, readFile, rename, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { sleep, timeoutSignal, type Clock } from "../base/clock.ts";
import { codeOf } from "../base/errors.ts";
import type { Environment, HomePaths } from "../base/home.ts";
import { isRecordAlive, ownServerRecord, readServerRecord, removeServerRecord, writeServerRecord, type ServerRecord } from "../base/server-record.ts";
import { StatusError } from "../api/status-error.ts";
import { createHttpClient } from "../client/http-client.ts";
import { ensureHome } from "./home-directory.ts";
import { packageVersion } from "./package-info.ts";
import type { Session } from "./session.ts";
import { watchDirectory } from "./watched-directory.ts";
import { CliError } from "./world.ts";
import { withoutCaller } from "./server-environment.ts";

const startMsMax = 30_000;
const stopMsMax = 30_000;
const pollMs = 25;
const probeMsMax = 5000;
/** A server that ended because another one was faster: that one answers within this time. */
const otherServerMsMax = 2000;
const logBytesMax = 8 * 1024 * 1024;
const logTailLines = 15;
const logTailBytes = 16 * 1024;

/** Whether somebody answers at the home's socket. @throws StatusError when it is closed to us, or answers nothing */
export async function isServing({ socketPath }: HomePaths, clock: Clock, parent?: AbortSignal): Promise<boolean> {
  return (await probe(socketPath, clock, "/livez", parent)) !== "absent";
}

/** "no": something answers, but not that all is well. */
async function probe(socketPath: string, clock: Clock, path: string, parent?: AbortSignal): Promise<"absent" | "no" | "yes"> {
  const client = createHttpClient({ socketPath, clock, userAgent: "vendetta" });
  using deadline = timeoutSignal(clock, probeMsMax, `The server at ${socketPath}`, parent);
  try {
    const answer = await client.stream({ method: "GET", path }, deadline.signal);
    answer.on("error", () => undefined).destroy();
    return "yes";
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    // Without a cause it is what the server itself said.
    if (error.cause === undefined) return "no";
    if (["ENOENT", "ECONNREFUSED", "ENOTDIR", "ECONNRESET"].includes(codeOf(error.cause) ?? "")) return "absent";
    throw error;
  } finally {
    client.close();
  }
}

/**
 * Starts the server in the background and waits until it is ready. Answers its pid.
 * @param port where network clients reach it (see `parsePortWish`); absent: where they did
 */
export async function startServer(session: Session, port?: string): Promise<number> {
  const { paths, world } = session;
  await ensureHome(paths);
  const logFile = join(paths.logDir, "server.log");
  await rotate(logFile);
  const log = await open(logFile, "a", 0o600);
  const begun = (await log.stat()).size;
  let ended: string | undefined;
  const child = spawn(process.execPath, [...process.execArgv, resolve(process.argv[1] ?? ""), "server", "run"], {
    detached: true,
    // Not the user's directory: it could then never be unmounted or removed.
    cwd: "/",
    stdio: ["ignore", log.fd, log.fd],
    // What is started must never start another one, whatever argv[1] turns out to be: that would go on without end.
    env: { ...withPort(withoutCaller(world.env), port), VENDETTA_HOME: paths.home, VENDETTA_NO_AUTOSTART: "1" },
  });
  child.once("error", (error) => (ended = error.message));
  child.once("exit", (code, signal) => (ended ??= signal === null ? `exit code ${code}` : `signal ${signal}`));
  child.unref();
  await log.close();

  const start = world.clock.monotonic();
  let endedAt: number | undefined;
  for (;;) {
    session.signal.throwIfAborted();
    if ((await probe(paths.socketPath, world.clock, "/readyz", session.signal)) === "yes") break;
    const now = world.clock.monotonic();
    if (ended !== undefined) endedAt ??= now;
    if (endedAt !== undefined && now - endedAt > otherServerMsMax) {
      throw new CliError(`The vendetta server ended while starting (${ended}).\n${await lastLines(logFile, begun)}\nIts log is ${logFile}; to see it start, run 'vendetta server run'`);
    }
    if (now - start > startMsMax) {
      throw new CliError(`The vendetta server is not ready after ${startMsMax / 1000} s.\n${await lastLines(logFile, begun)}\nIt goes on starting; look at ${logFile}, or stop it with 'kill ${child.pid}'`);
    }
    await sleep(world.clock, pollMs, session.signal);
  }
  const record = await liveRecord(paths);
  if (record?.network?.notice !== undefined) session.tell(`${record.network.notice}.`);
  return record?.pid ?? child.pid!;
}

function withPort(env: Environment, port: string | undefined): Environment {
  return port === undefined ? env : { ...env, VENDETTA_PORT: port };
}

async function rotate(logFile: string): Promise<void> {
  try {
    if ((await stat(logFile)).size > logBytesMax) await rename(logFile, `${logFile}.1`);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** What this start wrote to the log, at most its last lines, messages only where they can be told. */
async function lastLines(logFile: string, from: number): Promise<string> {
  const bytes = await readFile(logFile).catch(() => Buffer.alloc(0));
  const text = bytes.subarray(Math.max(from, bytes.byteLength - logTailBytes)).toString("utf8").trim();
  const lines = text.split("\n").filter((line) => !/^\s+at .*:\d+/.test(line)).slice(-logTailLines);
  return lines.map((line) => `  ${readable(line)}`).join("\n");
}

function readable(line: string): string {
  try {
    const { msg, message, err, error } = JSON.parse(line) as { msg?: unknown; message?: unknown; err?: { message?: unknown }; error?: unknown };
    const said = [msg ?? message, err?.message ?? error].filter((each) => typeof each === "string");
    return said.length > 0 ? said.join(": ") : line;
  } catch {
    return line;
  }
}

/** The record of the home's server, if that process lives. */
export async function liveRecord(paths: HomePaths): Promise<ServerRecord | undefined> {
  const record = await readServerRecord(paths.serverFile);
  return record !== undefined && isRecordAlive(record) ? record : undefined;
}

/** Asks the server to end and waits until it has. Undefined when none runs. */
export async function stopServer({ paths, world, signal }: Session): Promise<number | undefined> {
  const record = await liveRecord(paths);
  if (record === undefined) {
    if (await isServing(paths, world.clock, signal)) throw new CliError(`A server answers at ${paths.socketPath}, but ${paths.serverFile} does not say which process it is; stop it where it was started`);
    return undefined;
  }
  try {
    process.kill(record.pid, "SIGTERM");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw new CliError(`Cannot stop the server (pid ${record.pid}): ${codeOf(error) === "EPERM" ? "it belongs to another user" : String(codeOf(error))}`, { cause: error });
  }
  const start = world.clock.monotonic();
  while (isRecordAlive(record)) {
    if (world.clock.monotonic() - start > stopMsMax) throw new CliError(`The server (pid ${record.pid}) has not ended after ${stopMsMax / 1000} s; look at ${join(paths.logDir, "server.log")}, or end it with 'kill -9 ${record.pid}': nothing stored is lost`);
    await sleep(world.clock, pollMs, signal);
  }
  await removeServerRecord(paths.serverFile, record);
  return record.pid;
}

/**
 * Runs the server in this process until the session's signal aborts.
 * @param watched directory that the cluster is to follow
 */
export async function serve(session: Session, port?: string, watched?: string): Promise<void> {
  const { paths, world, signal } = session;
  await ensureHome(paths);
  const version = packageVersion();
  let record: ServerRecord | undefined;
  try {
    await world.runServer(paths, {
      signal,
      clock: world.clock,
      env: withPort(world.env, port),
      version,
      async onListening(network) {
        record = ownServerRecord({ socketPath: paths.socketPath, version, startedAt: new Date(world.clock.now()).toISOString(), network });
        await writeServerRecord(paths.serverFile, record);
        if (watched !== undefined) await watchDirectory(session, await session.connect(), watched);
      },
    });
  } finally {
    if (record !== undefined) await removeServerRecord(paths.serverFile, record);
  }
}

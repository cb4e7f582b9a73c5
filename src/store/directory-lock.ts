import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { link, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { codeOf } from "../base/errors.ts";
import { StoreHeldError } from "./store-open-error.ts";

/** Who holds a directory. */
interface Holder {
  readonly pid: number;
  /** In clock ticks since boot: tells a process from a later one with its pid. "" where /proc is not. */
  readonly startTime: string;
  readonly bootId: string;
  readonly hostname: string;
}

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Holds a directory for this process: one writer, whoever else tries is told who.
 *
 * Two parts, because each has a hole the other closes. An abstract Unix socket named after the directory's inode is held
 * by the kernel for as long as the process lives: no stale lock after kill -9, no race to take one over. But it is known
 * only in this network namespace, and to Linux. A file in the directory names the holder, for messages and for those who
 * see the directory from another container or system. (proper-lockfile was considered: it tells a live holder by touching
 * a file every few seconds, so a server paused for longer loses its lock, and a crashed one keeps it for as long.)
 * @throws StoreHeldError when another process holds it
 */
export async function lockDirectory(dir: string, unique: string): Promise<DirectoryLock> {
  const path = join(dir, "lock");
  const socket = process.platform === "linux" ? await bindSocket(dir, path) : undefined;
  try {
    await claimFile(path, unique);
  } catch (error) {
    await closeSocket(socket);
    throw error;
  }
  return {
    async release() {
      await unlink(path).catch((error: unknown) => {
        // Somebody cleaned up by hand: what we want is so.
        if (codeOf(error) !== "ENOENT") throw error;
      });
      await closeSocket(socket);
    },
  };
}

async function bindSocket(dir: string, path: string): Promise<Server> {
  const { dev, ino } = await stat(dir, { bigint: true });
  const name = `\0vendetta-store-${createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32)}`;
  const server = createServer((connection) => connection.destroy());
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(name, resolve));
  } catch (error) {
    if (codeOf(error) === "EADDRINUSE") throw held(dir, await readHolder(path));
    throw error;
  }
  // It keeps the lock, not the process.
  return server.unref();
}

function closeSocket(server: Server | undefined): Promise<void> {
  return new Promise((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
}

async function claimFile(path: string, unique: string): Promise<void> {
  const own = `${path}.${unique}`;
  const file = await open(own, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await file.writeFile(`${JSON.stringify(await self())}\n`);
    await file.close();
    for (;;) {
      try {
        // Appears whole or not at all.
        return await link(own, path);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
      }
      const holder = await readHolder(path);
      if (holder !== undefined && (await mayBeAlive(holder))) throw held(path, holder);
      // Moved, not unlinked: of two that find it stale only one moves it.
      await rename(path, `${own}.stale`).then(() => unlink(`${own}.stale`)).catch((error: unknown) => {
        if (codeOf(error) !== "ENOENT") throw error;
      });
    }
  } finally {
    await unlink(own);
  }
}

async function self(): Promise<Holder> {
  return { pid: process.pid, startTime: (await startTimeOf(process.pid)) ?? "", bootId: await bootId(), hostname: hostname() };
}

/** Undefined when there is no lock file, or one that nobody wrote whole: that holds nothing. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const { pid, startTime, bootId, hostname } = JSON.parse(await readFile(path, "utf8")) as Partial<Holder>;
    return { pid: Number(pid), startTime: String(startTime), bootId: String(bootId), hostname: String(hostname) };
  } catch (error) {
    if (error instanceof SyntaxError || codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** On another machine, or in another container, nobody can tell: then it may. */
async function mayBeAlive(holder: Holder): Promise<boolean> {
  if (holder.hostname !== hostname()) return true;
  if (holder.bootId !== (await bootId())) return false;
  const startTime = await startTimeOf(holder.pid);
  if (process.platform === "linux") return startTime !== undefined && startTime === holder.startTime;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/** Field 22 of /proc/<pid>/stat, counted after the command, which may hold spaces and parentheses. Source: proc(5). */
async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    // No such process, or no /proc.
    return undefined;
  }
}

async function bootId(): Promise<string> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "latin1")).trim();
  } catch {
    // Not Linux: the hostname and the pid must do.
    return "";
  }
}

function held(path: string, holder: Holder | undefined): StoreHeldError {
  const elsewhere = holder !== undefined && holder.hostname !== hostname();
  const who = holder === undefined ? "another process" : holder.pid === process.pid && !elsewhere ? `this process (pid ${holder.pid})` : `process ${holder.pid}${elsewhere ? ` on ${holder.hostname}` : ""}`;
  const next = elsewhere ? `if no server runs there any more, remove ${path}` : "stop that server first, or use another VENDETTA_HOME";
  return new StoreHeldError(`Cannot open the store in ${path.replace(/\/lock$/, "")}: ${who} holds it; ${next}`);
}

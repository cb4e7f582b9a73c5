import { readFileSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { codeOf } from "./errors.ts";

/** How network clients reach the server. */
export interface NetworkState {
  /** `https://127.0.0.1:6440`, as the kubeconfig says; absent: they do not. */
  readonly url?: string | undefined;
  /** `127.0.0.1:6440`, `[::1]:6440`. */
  readonly addresses: readonly string[];
  /** What a user should know of it: a sentence. */
  readonly notice?: string | undefined;
}

/** Which process serves a home. Written by the server once it listens, taken away when it ends in good order. */
export interface ServerRecord {
  readonly pid: number;
  /** Start time of that pid in the kernel's ticks, so that a recycled pid is never taken for the server; absent where there is no /proc. */
  readonly startTime?: string | undefined;
  readonly socketPath: string;
  readonly version: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** Absent: a server of an older version wrote the record. */
  readonly network?: NetworkState | undefined;
}

/** The record of the process that runs this code. */
export function ownServerRecord(rest: Pick<ServerRecord, "socketPath" | "version" | "startedAt" | "network">): ServerRecord {
  const startTime = processStartTime(process.pid);
  return { pid: process.pid, ...(startTime === undefined ? {} : { startTime }), ...rest };
}

/** Whole or not at all: a reader never sees half a record. */
export async function writeServerRecord(file: string, record: ServerRecord): Promise<void> {
  const fresh = `${file}.${record.pid}`;
  await writeFile(fresh, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(fresh, file);
}

/** Undefined when there is none, or none that can be read. */
export async function readServerRecord(file: string): Promise<ServerRecord | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text) as Partial<ServerRecord> | null;
    return typeof record?.pid === "number" && Number.isInteger(record.pid) && record.pid > 1 && typeof record.socketPath === "string" ? (record as ServerRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Takes the record away if it is still this one. */
export async function removeServerRecord(file: string, record: ServerRecord): Promise<void> {
  const found = await readServerRecord(file);
  if (found?.pid === record.pid && found.startTime === record.startTime) await rm(file, { force: true });
}

/** Whether the process on record lives, and is that very process. */
export function isRecordAlive(record: ServerRecord): boolean {
  if (record.startTime !== undefined) return processStartTime(record.pid) === record.startTime;
  try {
    process.kill(record.pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/** Field 22 of /proc/<pid>/stat (proc(5)); undefined when there is no such living process, or no /proc. */
export function processStartTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The command may hold blanks and parentheses: fields are counted from its end. The first one is field 3, the state.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

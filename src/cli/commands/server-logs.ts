import { open } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";

export interface ServerLogsOptions {
  readonly follow?: boolean | undefined;
  readonly tail?: string | undefined;
}

const chunkBytes = 64 * 1024;
/** Between two looks at the end of the file. */
const pollMs = 250;

/** Writes the server's own log to stdout. It can be read whether or not the server runs. */
export async function serverLogs(session: Session, { follow = false, tail }: ServerLogsOptions): Promise<void> {
  if (tail !== undefined && !/^(-1|\d{1,9})$/.test(tail)) throw new CliError(`--tail: "${tail}" is not a number of lines`);
  const path = join(session.paths.logDir, "server.log");
  let file = await opened(path);
  if (file === undefined) return session.tell(`There is no log at ${path} yet: no server has been started in the background.`);
  try {
    let at = tail === undefined || tail === "-1" ? 0 : await tailOffset(file, Number(tail));
    for (;;) {
      at = await copyFrom(session, file, at);
      if (!follow || session.signal.aborted) return;
      await sleep(session.world.clock, pollMs, session.signal).catch(() => undefined);
      if (session.signal.aborted) return;
      // A rotated log is another file of the same name.
      const fresh = await opened(path);
      if (fresh === undefined) continue;
      if ((await fresh.stat()).ino === (await file.stat()).ino) await fresh.close();
      else {
        at = await copyFrom(session, file, at);
        await file.close();
        file = fresh;
        at = 0;
      }
    }
  } finally {
    await file.close();
  }
}

type LogFile = Awaited<ReturnType<typeof open>>;

async function opened(path: string): Promise<LogFile | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new CliError(`Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Writes what is there from an offset on, no faster than stdout takes it; where it ended. */
async function copyFrom({ world: { stdout }, signal }: Session, file: LogFile, from: number): Promise<number> {
  const buffer = Buffer.alloc(chunkBytes);
  let at = from;
  while (!signal.aborted) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    if (!stdout.write(Buffer.from(buffer.subarray(0, bytesRead)))) await drained(stdout, signal);
  }
  return at;
}

function drained(stdout: Session["world"]["stdout"], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stdout.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    stdout.on("drain", done);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Where the last so many lines begin. Reads backwards: a log may be long. */
async function tailOffset(file: LogFile, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines === 0) return size;
  const buffer = Buffer.alloc(chunkBytes);
  let left = lines;
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - chunkBytes);
    await file.read(buffer, 0, end - from, from);
    for (let i = end - from - 1; i >= 0; i--) {
      // The newline that ends the last line begins none.
      if (buffer[i] === 10 && from + i !== size - 1 && --left === 0) return from + i + 1;
    }
    end = from;
  }
  return 0;
}

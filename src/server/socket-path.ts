import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import { codeOf } from "../base/errors.ts";

/** Longest path of a unix socket in bytes (sun_path without its NUL). Longer ones are cut silently by some systems. */
const socketPathBytesMax = process.platform === "darwin" ? 103 : 107;
/** A server that lives accepts a local connection far sooner. */
const probeMsMax = 2000;

/**
 * Makes ready to listen at `path`: its directory is ours alone (0700), and the socket file a dead server left is gone.
 * The caller holds the lock of the store beside it, so nobody else claims the same path at the same time.
 * @throws Error saying what to do: the path is too long, the directory is open to others, something else is in the way,
 * or a living server answers there
 */
export async function claimSocketPath(path: string, clock: Clock): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (bytes > socketPathBytesMax) throw new Error(`Cannot listen at ${path}: a unix socket's path may have ${socketPathBytesMax} bytes, this one has ${bytes}; set VENDETTA_HOME to a shorter directory`);
  await claimDirectory(dirname(path), path);
  const found = await lstatOf(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`Cannot listen at ${path}: it exists and is no socket; move it away`);
  if (await answers(path, clock)) throw new Error(`Cannot listen at ${path}: a vendetta server is already running there; stop it with 'vendetta server stop'`);
  await unlink(path);
}

async function claimDirectory(directory: string, path: string): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  // umask can only take bits away, so a directory just made needs no more than its owner's back.
  if (made !== undefined) await chmod(directory, 0o700);
  const found = await lstatOf(directory);
  if (found === undefined || !found.isDirectory()) throw new Error(`Cannot listen at ${path}: ${directory} is no directory`);
  const uid = process.getuid?.();
  if (uid !== undefined && found.uid !== uid) throw new Error(`Cannot listen at ${path}: ${directory} belongs to user ${found.uid}, not to you (${uid})`);
  if ((found.mode & 0o077) !== 0) throw new Error(`Cannot listen at ${path}: ${directory} is open to other users (mode ${(found.mode & 0o777).toString(8)}); run 'chmod 700 ${directory}'`);
}

async function lstatOf(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether somebody accepts connections there. Anything but a clear refusal counts as yes: nothing living is removed. */
async function answers(path: string, clock: Clock): Promise<boolean> {
  using deadline = timeoutSignal(clock, probeMsMax, "The probe of the socket");
  return await new Promise<boolean>((resolve) => {
    const socket = connect({ path });
    const done = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once("connect", () => done(true));
    socket.once("error", (error) => done(!["ECONNREFUSED", "ENOENT"].includes(codeOf(error) ?? "")));
    deadline.signal.addEventListener("abort", () => done(true), { once: true });
  });
}

import { Buffer } from "node:buffer";
import { timeoutSignal, type Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { Transport } from "../transport.ts";
import { fileFailure } from "./file-error.ts";

/** What can be done with files by commands alone. Errors are Node's, by their `code`. */
export interface RawFiles {
  read(path: string, bytesMax: number): Promise<Buffer>;
  write(path: string, data: Buffer, mode: number): Promise<void>;
  list(path: string): Promise<readonly string[]>;
  mkdir(path: string, mode: number): Promise<void>;
}

/** For one operation. */
export const fileMsMax = 120_000;
/** Names of one directory, all together. */
const listBytesMax = 16 * 1024 * 1024;
/** How the scripts tell what is wrong, by their exit code. */
const failures: Readonly<Record<number, string>> = { 44: "ENOENT", 45: "EISDIR", 46: "EACCES", 47: "ENOTDIR" };

const scripts = {
  read: '[ -e "$1" ] || exit 44; [ -d "$1" ] && exit 45; [ -r "$1" ] || exit 46; exec head -c "$2" <"$1"',
  // The count is what tells a whole file from one that a lost connection cut. `mv` would move into a directory of that name.
  write:
    'umask 077; [ -d "$1" ] && exit 45; mkdir -p "$4" || exit 1; trap \'rm -f "$2"\' EXIT; cat >"$2" && [ "$(wc -c <"$2")" -eq "$5" ] && chmod "$3" "$2" || exit 1; ' +
    'sync "$2" 2>/dev/null || sync; mv -f "$2" "$1" || exit 1; sync "$4" 2>/dev/null || sync',
  list: '[ -e "$1" ] || exit 44; [ -d "$1" ] || exit 47; cd "$1" || exit 46; for name in * .[!.]* ..?*; do if [ -e "$name" ] || [ -L "$name" ]; then printf "%s\\0" "$name"; fi; done',
  mkdir: 'path=$1 mode=$2; set --; while [ -n "$path" ] && [ ! -d "$path" ]; do set -- "$path" "$@"; path=${path%/*}; done; for each; do mkdir -m "$mode" "$each" || [ -d "$each" ] || exit 1; done',
};

/** Files by means of sh, head, cat and their like, for a machine whose sshd has no SFTP. */
export function createExecFiles({ clock, random, exec }: { readonly clock: Clock; readonly random: Random; readonly exec: Transport["exec"] }): RawFiles {
  const command = async (script: keyof typeof scripts, args: readonly string[], stdin: Buffer, outputBytesMax: number): Promise<Buffer> => {
    using bound = timeoutSignal(clock, fileMsMax, script);
    const stream = await exec(["sh", "-c", scripts[script], "sh", ...args], { signal: bound.signal });
    const out: Buffer[] = [];
    const said: Buffer[] = [];
    let length = 0;
    stream.stdout.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= outputBytesMax) out.push(chunk);
      else stream.kill();
    });
    stream.stderr.on("data", (chunk: Buffer) => void (said.length < 16 && said.push(chunk)));
    stream.stdin.end(stdin);
    const { code, signal } = await stream.exit;
    if (length > outputBytesMax) throw new Error(`it has more than ${outputBytesMax} bytes`);
    if (code === 0) return Buffer.concat(out, length);
    throw fileFailure(failures[code ?? -1] ?? "EIO", Buffer.concat(said).toString("utf8").trim() || `ended with ${signal ?? code}`);
  };
  const nothing = Buffer.alloc(0);
  return {
    async read(path, bytesMax) {
      const data = await command("read", [path, String(bytesMax + 1)], nothing, bytesMax + 1);
      if (data.length > bytesMax) throw new Error(`it has more than ${bytesMax} bytes`);
      return data;
    },
    async write(path, data, mode) {
      const folder = path.slice(0, path.lastIndexOf("/")) || "/";
      await command("write", [path, `${path}.${random.uuid()}.tmp`, mode.toString(8), folder, String(data.length)], data, listBytesMax);
    },
    async list(path) {
      const names = await command("list", [path], nothing, listBytesMax);
      return names.toString("utf8").split("\0").filter((name) => name !== "");
    },
    async mkdir(path, mode) {
      await command("mkdir", [path, mode.toString(8)], nothing, listBytesMax);
    },
  };
}
